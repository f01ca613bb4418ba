"""Plotting: figures show the data, bad input is refused, no global style is touched, colours keep their order."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager

mpl.use("Agg")

import matplotlib.pyplot as plt
from tables import SIZES, plane_table

from pruning_phases import observables as obs
from pruning_phases import plotting
from pruning_phases.plotting import sketches
from pruning_phases.plotting.series import named_looks, size_looks
from pruning_phases_book.drawings import SKETCHES, draw

ASSETS = Path(__file__).parents[1] / "book" / "assets"


@pytest.fixture(scope="module")
def data() -> dict:
    results = plane_table(passes=4)
    loss, accuracy = obs.averages(results), obs.averages(results, "accuracy")
    classified = obs.classify(obs.exponents(loss), loss, accuracy)
    line = results[results["p_train"] == 0.3]
    return {
        "results": results,
        "loss": loss,
        "accuracy": accuracy,
        "classified": classified,
        "boundary": obs.boundary(classified),
        "binder": obs.pooled_binder(line, ("n_train", "p_eval"), n_bootstrap=50),
        "variance": obs.accuracy_variance(line),
        "crossings": obs.crossings(line),
    }


def lightness(rgb) -> np.ndarray:
    """CIE L* (0..100) of sRGB colours (..., 3)."""
    rgb = np.asarray(rgb, dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def test_alpha_colours_keep_their_order_in_greyscale_and_change_hue_at_zero():
    colors = plotting.ALPHA_CMAP(np.linspace(0, 1, 201))[:, :3]
    assert (np.diff(lightness(colors)) > -0.3).all()  # never visibly falling (tabulated colours are rounded)
    assert np.ptp(lightness(colors)) > 75
    blueness = colors[:, 2] - colors[:, 0]  # blue against red: the axis that red-green blindness keeps
    assert (blueness[:95] > 0.05).all()
    assert (blueness[106:] < -0.02).all()
    assert abs(blueness[100]) < 0.03


def test_phase_and_size_colours_differ_in_greyscale():
    shades = sorted(lightness(mpl.colors.to_rgb(color)) for color in plotting.PHASE_COLORS.values())
    assert np.diff(shades).min() > 12
    sizes = lightness([plotting.size_color(n)[:3] for n in SIZES])
    assert (np.diff(sizes) < -3).all()  # darker for more data
    assert sizes.max() < 80  # still visible on white
    assert len({plotting.size_marker(n) for n in SIZES[:7]}) == 7


def test_sizes_beyond_those_of_the_book_can_be_told_apart():
    looks = size_looks([4_000 * 2**k for k in range(8)])
    assert (np.diff(lightness([mpl.colors.to_rgb(look.color) for look in looks.values()])) < -3).all()
    assert len({look.marker for look in looks.values()}) == 8
    of_the_book = size_looks([500, 32_000])
    assert of_the_book[32_000].color == plotting.size_color(32_000)


def test_no_function_touches_the_global_style_or_makes_a_figure_when_axes_are_given(data):
    before = dict(mpl.rcParams)
    figure, axes = plotting.panels(9, columns=3)
    classified, loss = data["classified"], data["loss"]
    drawn = [
        plotting.phase_map(classified, axes[0]),
        plotting.boundary_line(data["boundary"], axes[0]),
        plotting.accuracy_map(data["accuracy"], ax=axes[1]),
        plotting.exponent_map(classified, axes[2]),
        plotting.goodness_map(classified, axes[3]),
        plotting.size_curves(loss[loss["p_train"] == 0.3], "p_eval", axes[4], log=True, guessing=obs.LOSS_OF_GUESSING),
        plotting.scaling_fits(loss, classified.iloc[[0, 15, 65]], axes[5]),
        plotting.binder_bands(data["binder"], "passes", axes[6]),
        plotting.variance_curves(data["variance"], ax=axes[7]),
        plotting.crossing_strip(data["crossings"], axes[8], label="loss"),
    ]
    assert drawn == [axes[0], *axes]
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()
    assert {k: v for k, v in mpl.rcParams.items() if before[k] != v} == {}
    assert plotting.phase_map(classified).figure is not figure  # without axes: a figure of its own


def test_panels_are_lettered_and_counted():
    _, axes = plotting.panels(3)
    assert [ax.get_title(loc="left") for ax in axes] == ["(a)", "(b)", "(c)"]
    assert plotting.panels(1)[1][0].get_title(loc="left") == ""
    with pytest.raises(ValueError, match="at least 1"):
        plotting.panels(0)


def test_maps_show_the_table(data):
    ax = plotting.exponent_map(data["classified"], limit=0.5)
    mesh = ax.collections[0]
    expected = data["classified"].pivot(index="p_eval", columns="p_train", values="alpha").to_numpy()
    np.testing.assert_allclose(mesh.get_array(), expected)
    assert mesh.get_clim() == (-0.5, 0.5)
    ax = plotting.accuracy_map(data["accuracy"], n_train=500)
    part = data["accuracy"][data["accuracy"]["n_train"] == 500]
    expected = part.pivot(index="p_eval", columns="p_train", values="mean").to_numpy()
    np.testing.assert_allclose(ax.collections[0].get_array(), expected)
    names = {text.get_text() for text in plotting.phase_map(data["classified"]).texts}
    assert names == {"eumentia", "dementia", "amentia"}


def test_phase_names_lie_inside_their_phase(data):
    ax = plotting.phase_map(data["classified"])
    for text in ax.texts:
        p_train, p_eval = text.get_position()
        table = data["classified"]
        nearest = ((table["p_train"] - p_train) ** 2 + (table["p_eval"] - p_eval) ** 2).idxmin()
        assert table.loc[nearest, "phase"] == text.get_text()


def test_curves_show_means_with_their_errors(data):
    part = data["loss"][data["loss"]["p_train"] == 0.6]
    ax = plotting.size_curves(part, "p_eval")
    assert len(ax.containers) == len(SIZES)
    line, _, (bars,) = ax.containers[0]
    curve = part[part["n_train"] == 500]
    np.testing.assert_allclose(line.get_ydata(orig=False), curve["mean"].to_numpy())
    heights = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    np.testing.assert_allclose(heights, curve["sem"], rtol=1e-6)
    assert mpl.colors.to_hex(line.get_color()) == mpl.colors.to_hex(plotting.size_color(500))


def test_scaling_fits_draw_the_fitted_power_law(data):
    point = data["classified"].iloc[[0]]
    ax = plotting.scaling_fits(data["loss"], point)
    *_, fit, guessing = ax.lines
    assert guessing.get_ydata() == [obs.LOSS_OF_GUESSING] * 2
    np.testing.assert_allclose(
        fit.get_ydata(), point["amplitude"].iloc[0] * fit.get_xdata() ** point["alpha"].iloc[0], rtol=1e-12
    )
    assert mpl.colors.to_hex(fit.get_color()) == plotting.PHASE_COLORS[str(point["phase"].iloc[0])]


def test_tables_with_more_than_one_value_per_place_are_refused(data):
    doubled = pd.concat([data["classified"], data["classified"].assign(depth=3)])
    for shown in (plotting.phase_map, plotting.exponent_map):
        with pytest.raises(ValueError, match="select one value of depth"):
            shown(doubled)
    with pytest.raises(ValueError, match="p_train varies"):
        plotting.size_curves(data["loss"], "p_eval")
    with pytest.raises(ValueError, match="x = 'p_test'"):
        plotting.size_curves(data["loss"], "p_test")
    with pytest.raises(ValueError, match="n_train = 123 is not in the table; it has 500"):
        plotting.accuracy_map(data["accuracy"], n_train=123)
    with pytest.raises(ValueError, match="limit = 0"):
        plotting.exponent_map(data["classified"], limit=0)
    with pytest.raises(ValueError, match="unknown ensemble 'all'"):
        plotting.binder_bands(data["binder"], "all")
    with pytest.raises(ValueError, match="no averages at p_train = 0"):
        plotting.scaling_fits(data["loss"].iloc[-5:], data["classified"].iloc[[0]])


def test_digit_answers_show_frequencies_and_refuse_wrong_shapes():
    frequencies = np.full((3, 10), 0.05)
    frequencies[:, 7] = 0.55
    images = np.zeros((3, 28, 28))
    ax = plotting.digit_answers(images, np.array([7, 1, 2]), frequencies)
    np.testing.assert_allclose(ax.collections[0].get_array(), frequencies)
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["55"] * 3
    boxes = [(box.get_x(), box.get_y()) for box in ax.patches]
    assert boxes == [(7, 0), (1, 1), (2, 2)]  # the true classes
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # first digit on top
    with pytest.raises(ValueError, match="3 labels need images"):
        plotting.digit_answers(images[:2], np.array([7, 1, 2]), frequencies)
    with pytest.raises(ValueError, match="sum to 1"):
        plotting.digit_answers(images, np.array([7, 1, 2]), 2 * frequencies)


def test_undecided_points_are_hatched_not_coloured(data):
    blurred = obs.classify(
        data["classified"].drop(columns="phase").assign(alpha_error=9.0), data["loss"], data["accuracy"]
    )
    ax = plotting.phase_map(blurred)
    hatched = ax.collections[-1]
    assert hatched.get_hatch() == "////"
    assert len(hatched.get_paths()) == (blurred["phase"] == "undecided").sum() > 0
    assert {text.get_text() for text in ax.texts} == {"amentia"}


def test_boundaries_against_architecture_show_the_tables(data):
    deeper = pd.concat(
        [data["boundary"].assign(depth=depth, p_c=data["boundary"]["p_c"] / depth) for depth in (2, 3, 4)]
    )
    ax = plotting.boundary_against_depth(deeper)
    assert len(ax.containers) == data["boundary"]["p_train"].nunique()
    line = ax.containers[0][0]
    np.testing.assert_allclose(line.get_ydata(orig=False), data["boundary"]["p_c"].iloc[0] / np.array([2, 3, 4]))
    empty = plotting.boundary_against_depth(deeper.iloc[:0])
    assert empty.texts[0].get_text() == "not in these results"
    with pytest.raises(ValueError, match="width varies"):
        plotting.boundary_against_depth(pd.concat([deeper, deeper.assign(width=50)]))
    edges = pd.DataFrame(
        {
            "depth": 2,
            "n_train": 500,
            "width": [50, 100],
            "edge_width": [0.1, 0.05],
            "edge_width_error": 0.01,
            "spacing": 0.02,
        }
    )
    ax = plotting.edge_against_width(edges)
    assert [bar.get_height() for bar in ax.patches] == [0.02, 0.02]
    np.testing.assert_allclose(ax.lines[0].get_ydata(orig=False), [0.1, 0.05])
    with pytest.raises(ValueError, match="n_train varies"):
        plotting.edge_against_width(edges.assign(n_train=[500, 1000]))


def test_architectures_stand_in_a_row_of_widths_and_a_row_of_depths(data):
    shapes = [(2, 50), (2, 100), (2, 200), (3, 100), (3, 50)]
    plane, border = (
        pd.concat([data[name].assign(depth=depth, width=width) for depth, width in shapes])
        for name in ("classified", "boundary")
    )
    figure = plotting.exponent_rows(plane, border, 2, 100)
    *maps, bar = figure.axes
    rows: dict[float, list[str]] = {}
    figure.canvas.draw()
    for ax in maps:
        rows.setdefault(round(ax.get_position().y0, 2), []).append(ax.get_title(loc="right").replace("\n", ", "))
    assert list(rows.values()) == [
        ["depth 2, width 50", "depth 2, width 100", "depth 2, width 200"],
        ["depth 2, width 100", "depth 3, width 100"],
        ["depth 3, width 50"],
    ]
    assert len({ax.collections[0].get_clim() for ax in maps}) == 1  # one scale
    assert bar.get_ylabel() == r"exponent $\alpha$"
    assert all(len(ax.containers) == 1 for ax in maps)  # with its border
    one = plotting.exponent_rows(plane[plane["depth"] == 3], border, 3, 100)
    assert len(one.axes) == 3  # (3, 50) and (3, 100): no row of one
    blank = plotting.exponent_rows(plane.assign(alpha=np.nan), border, 2, 100)  # of one size there are no exponents
    assert blank.axes[0].collections[0].get_array().mask.all()


def test_ticks_of_logarithmic_axes_follow_the_limits_that_axes_share():
    figure, (left, right) = plt.subplots(1, 2, sharey=True)
    left.plot([1, 2], [1, 2])
    right.plot([1, 2], [1, 900])
    for ax in (left, right):
        plotting.style.log_axis(ax.yaxis)
    figure.canvas.draw()
    ticks = [t for t in left.get_yticks() if 1 <= t <= 900]
    assert ticks == [1, 10, 100]
    left.set_ylim(1, 3)
    assert {1.5, 2} <= {round(float(t), 9) for t in left.get_yticks()}


def test_dropped_neurons_lose_all_their_connections():
    sizes = (3, 4, 2)

    def connections(ax):
        return sum(line.get_linewidth() == 0.6 for line in ax.lines)

    assert connections(plotting.network_schematic(sizes=sizes)) == 3 * 4 + 4 * 2
    assert connections(plotting.network_schematic(sizes=sizes, dropped=[(1, 0), (1, 3)])) == 3 * 2 + 2 * 2
    for impossible in ((0, 0), (2, 1), (1, 4)):
        with pytest.raises(ValueError, match="no hidden neuron"):
            plotting.network_schematic(sizes=sizes, dropped=[impossible])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw(folder)
    return folder


def test_drawings_are_reproduced_byte_for_byte(drawn, tmp_path):
    draw(tmp_path)
    names = sorted(path.name for path in drawn.iterdir())
    assert {"figure1.svg", "figure1.pdf", "phase_diagram.png"} < set(names)
    assert [name for name in names if (drawn / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_the_book_s_figure_1_is_what_the_code_draws(drawn):
    """The shipped drawing has the same shapes as a fresh one (other versions of matplotlib write other bytes)."""
    fresh, shipped = (path / "figure1.svg" for path in (drawn, ASSETS))
    count = [path.read_text().count("<path") for path in (fresh, shipped)]
    assert count[0] == count[1]
    assert (ASSETS / "figure1.pdf").exists()


@pytest.mark.parametrize("name", SKETCHES)
def test_sketches_of_theory_are_what_the_code_draws(name):
    figure = getattr(sketches, name)()
    assert len(figure.axes) == 2
    figure.canvas.draw()
    boxes = [text.get_window_extent() for ax in figure.axes for text in ax.texts if text.get_text()]
    assert [one for k, one in enumerate(boxes) for other in boxes[:k] if one.overlaps(other)] == []
    assert (ASSETS / f"{name}.svg").stat().st_size < 150_000


@pytest.mark.parametrize("listed", ["other first", "other alone", "gone", "none"])
def test_figures_take_matplotlibs_own_font_whatever_the_list_in_the_cache(listed, tmp_path, monkeypatch, caplog):
    own = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    other = tmp_path / "DejaVuSans.ttf"  # stands for the system's, of another version
    other.write_bytes(own.read_bytes())
    fonts = font_manager.fontManager
    kept = list(fonts.ttflist)
    monkeypatch.setattr(fonts, "ttflist", [])
    fonts.addfont(other)  # also forgets which fonts were found before
    if listed == "other first":
        fonts.ttflist.extend(kept)
    elif listed == "gone":
        fonts.ttflist[:] = [dataclasses.replace(font, fname=str(tmp_path / "gone" / "font.ttf")) for font in kept]
    elif listed == "none":
        fonts.ttflist.clear()
    figure, _ = plotting.panels(1)
    assert Path(fonts.findfont("DejaVu Sans")) == own
    with caplog.at_level("INFO", "matplotlib.font_manager"):
        figure.draw_without_rendering()
    assert not caplog.records  # nothing missing, nothing built again
    plt.close(figure)
    monkeypatch.undo()
    fonts.addfont(own)  # and forgets again


def test_more_curves_than_colours_are_all_drawn():
    looks = named_looks({k: str(k) for k in range(5)}, ["red", "blue"])
    assert [(look.label, look.color) for look in looks.values()] == list(
        zip("01234", 2 * ["red", "blue"] + ["red"], strict=True)
    )
