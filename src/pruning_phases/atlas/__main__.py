"""`python -m pruning_phases.atlas` trains and writes the shipped atlas again; it goes on where it was stopped."""

from pruning_phases.atlas.protocols import ATLAS
from pruning_phases.sensitivity.command import main
from pruning_phases.terminal import run

if __name__ == "__main__":
    run(lambda: main(ATLAS))
