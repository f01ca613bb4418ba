"""`python -m pruning_phases.claims.studies.atlas` trains and writes the shipped atlas again; it goes on where it was stopped."""

from pruning_phases.claims.studies.atlas.protocols import ATLAS
from pruning_phases.claims.studies.sensitivity.command import main
from pruning_phases.terminal import run

if __name__ == "__main__":
    run(lambda: main(ATLAS))
