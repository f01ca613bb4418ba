"""`python -m pruning_phases.sensitivity` makes the shipped study again; it goes on where it was stopped."""

from pruning_phases.sensitivity.command import main
from pruning_phases.sensitivity.study import SENSITIVITY

if __name__ == "__main__":
    main(SENSITIVITY)
