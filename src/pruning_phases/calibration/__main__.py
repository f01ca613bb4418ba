"""``python -m pruning_phases.calibration``: see `pruning_phases.calibration.coverage`."""

from pruning_phases.calibration.coverage import main
from pruning_phases.terminal import run

if __name__ == "__main__":
    run(main)
