"""`python -m pruning_phases.claims.studies.sensitivity` makes the shipped study again; it goes on where it was stopped."""

from pruning_phases.claims.studies.sensitivity.command import main
from pruning_phases.claims.studies.sensitivity.study import SENSITIVITY
from pruning_phases.terminal import run

if __name__ == "__main__":
    run(lambda: main(SENSITIVITY))
