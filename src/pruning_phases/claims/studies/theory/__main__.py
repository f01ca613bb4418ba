"""``python -m pruning_phases.claims.studies.theory``: train and measure what is missing, and write the shipped table."""

from pathlib import Path

from pruning_phases.claims.studies.theory import ship

if __name__ == "__main__":
    manifest = ship(Path("store", "theory"))
    print(f"{manifest['rows']} rows")
