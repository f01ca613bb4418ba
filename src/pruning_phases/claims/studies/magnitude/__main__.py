"""``python -m pruning_phases.claims.studies.magnitude``: `pieces.main` of this study."""

from pruning_phases.claims.studies.pieces import main

if __name__ == "__main__":
    main("magnitude")
