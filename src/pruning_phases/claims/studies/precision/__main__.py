"""``python -m pruning_phases.claims.studies.precision``: `Pieces.main` of this study."""

from pruning_phases.claims.studies.precision.pieces import STUDY

if __name__ == "__main__":
    STUDY.main()
