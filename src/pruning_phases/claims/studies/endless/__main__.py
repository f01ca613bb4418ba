"""Compute the study (it goes on where it was stopped) and write its table; --partial: write what is there, without computing."""

import argparse

from pruning_phases.claims.studies.endless import run, ship
from pruning_phases.runs.store import Store

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m pruning_phases.claims.studies.endless", description=__doc__)
    parser.add_argument("--store", default="store/endless", help="folder of the trained networks")
    parser.add_argument("--partial", action="store_true")
    chosen = parser.parse_args()
    if not chosen.partial:
        run(chosen.store)
    manifest = ship(Store(chosen.store), partial=chosen.partial, replace=True)
    print(f"{manifest['rows']} rows of {manifest['networks']} of {manifest['networks_of_study']} networks")
