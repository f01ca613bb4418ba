"""``python -m pruning_phases.claims.studies.magnitude``: `Pieces.main` of this study."""

from pruning_phases.claims.studies.magnitude.chains import STUDY

if __name__ == "__main__":
    STUDY.main()
