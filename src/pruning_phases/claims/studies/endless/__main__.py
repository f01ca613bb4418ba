"""``python -m pruning_phases.claims.studies.endless``: `Pieces.main` of this study."""

from pruning_phases.claims.studies.endless.pieces import STUDY

if __name__ == "__main__":
    STUDY.main()
