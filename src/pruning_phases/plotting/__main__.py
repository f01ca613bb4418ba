"""`python -m pruning_phases.plotting book/assets` draws the files of Fig. 1 again."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from pruning_phases.plotting.schematic import figure_1


def main(folder: str) -> None:
    """Write figure1.svg (for the page) and figure1.pdf (for the printed book); the same bytes on every run."""
    with plt.rc_context({"svg.hashsalt": "pruning-phases"}):
        figure = figure_1()
        figure.savefig(Path(folder) / "figure1.svg", metadata={"Date": None})
        figure.savefig(Path(folder) / "figure1.pdf", metadata={"CreationDate": None})
    plt.close(figure)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m pruning_phases.plotting FOLDER")
    main(sys.argv[1])
