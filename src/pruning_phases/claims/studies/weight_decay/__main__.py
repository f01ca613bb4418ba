"""``python -m pruning_phases.claims.studies.weight_decay``: `Pieces.main` of this study."""

from pruning_phases.claims.studies.weight_decay.study import STUDY

if __name__ == "__main__":
    STUDY.main()
