"""Live figures: data and drawing instructions that travel inside a page and react there without kernel or network.

Python prepares rounded averages (`payload`) and a static picture; the scripts in `book/assets/live/` draw them with
plotly. Where scripts do not run, the static picture stays.
"""

from pruning_phases_book.live.collapse import collapse_figure, fits_table
from pruning_phases_book.live.digit import digit_figure
from pruning_phases_book.live.epoch import epoch_figure
from pruning_phases_book.live.figure import LiveFigure, LiveLink
from pruning_phases_book.live.mask import mask_figure
from pruning_phases_book.live.networks import LiveNetworks, load_networks, train_networks
from pruning_phases_book.live.onset import onset_figure
from pruning_phases_book.live.phase import phase_figure
from pruning_phases_book.live.temperature import temperature_figure
