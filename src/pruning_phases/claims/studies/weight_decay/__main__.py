"""``python -m pruning_phases.claims.studies.weight_decay``: compute what is missing and write the shipped table."""

from pathlib import Path

from pruning_phases.claims.studies.weight_decay import ship

if __name__ == "__main__":
    manifest = ship(Path("store", "weight_decay"))
    print(f"{manifest['rows']} rows")
