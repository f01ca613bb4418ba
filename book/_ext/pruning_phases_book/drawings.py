"""Figures that no notebook draws (`python -m pruning_phases_book drawings book/assets`): Fig. 1, the headline figure, sketches."""

from itertools import chain
from pathlib import Path

import matplotlib.pyplot as plt

from pruning_phases import observables
from pruning_phases.collapse import plane_n_min
from pruning_phases.config import ConfigError
from pruning_phases.plotting import sketches
from pruning_phases.plotting.plane import boundary_line, exponent_map, phase_map
from pruning_phases.plotting.schematic import figure_1
from pruning_phases.plotting.style import panels
from pruning_phases.runs.results import results

SKETCHES = ("collapse_sketch", "fan_sketch", "confidence_sketch", "protocol_sketch")
"""Functions of `plotting.sketches`, each an SVG of its name."""
_SAVED = {".svg": {"metadata": {"Date": None}}, ".pdf": {"metadata": {"CreationDate": None}}, ".png": {"dpi": 150}}
"""How each kind of file is saved: the same on every run."""


def headline() -> plt.Figure:
    """The phase diagram of the shipped results over the sizes of the scaling regime: phases, and the exponent they are told apart by."""
    every_size = results("shipped", depth=2, width=100)
    plane = observables.plane(every_size, plane_n_min(every_size))
    figure, (ax_phase, ax_exponent) = panels(2, letters=False)
    boundary_line(plane.border, phase_map(plane.points, ax_phase))
    boundary_line(plane.border, exponent_map(plane.points, ax_exponent))
    return figure


def draw(folder: Path) -> None:
    """Write Fig. 1 (for the page and for the printed book), the sketches and the headline figure (also for pages that show no SVG).

    Raises ConfigError, before anything is drawn, where there is no such folder or a file of one of these names was not drawn by matplotlib.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder: name the one to draw into")
    files = {figure_1: ("figure1.svg", "figure1.pdf")}
    files |= {getattr(sketches, name): (f"{name}.svg",) for name in SKETCHES}
    files |= {headline: ("phase_diagram.svg", "phase_diagram.png")}
    for path in (folder / name for name in chain(*files.values())):
        if path.exists() and b"atplotlib" not in path.read_bytes():
            raise ConfigError(f"{path} exists and is not a file of ours: move it away, or name another folder")
    for drawn, names in files.items():
        with plt.rc_context({"svg.hashsalt": "pruning-phases"}):
            figure = drawn()
            for name in names:
                figure.savefig(folder / name, **_SAVED[Path(name).suffix])
        plt.close(figure)
