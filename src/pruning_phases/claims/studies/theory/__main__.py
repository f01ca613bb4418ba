"""``python -m pruning_phases.claims.studies.theory``: `Pieces.main` of the tables of this study."""

from pruning_phases.claims.studies.theory.study import COOLED, MORE, STUDY

if __name__ == "__main__":
    for part in (STUDY, MORE, COOLED):
        part.main()
