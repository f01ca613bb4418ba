"""Live figures: what their payloads hold, and that the scripts of the page compute what Python computes."""

import base64
import dataclasses
import hashlib
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from javascript import LIVE, evaluate
from PIL import Image
from scipy.interpolate import CubicHermiteSpline
from tables import plane_table

from pruning_phases import observables
from pruning_phases.calibration import penalty
from pruning_phases.claims.studies import theory as theory_study
from pruning_phases.claims.studies.magnitude import load_closeup
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    CollapseData,
    fit_collapse,
    read_points,
    reduced_chi_squared,
    scaling_regime,
)
from pruning_phases.config import Training
from pruning_phases.engine.evaluation import predict
from pruning_phases.notebooks import REPOSITORY
from pruning_phases_book import live
from pruning_phases_book.live.collapse import collapse_payload, rounded, selected
from pruning_phases_book.live.digit import digit_payload, phases_at
from pruning_phases_book.live.figure import LiveFigure, plain
from pruning_phases_book.live.mask import mask_payload
from pruning_phases_book.live.networks import BORDER, quantised, save_networks
from pruning_phases_book.live.phase import phase_payload
from pruning_phases_book.live.temperature import integers, temperature_payload


@pytest.fixture(scope="module")
def rows():
    return plane_table(p_train=(0.0, 0.3, 0.99), n_train=(500, 1000, 2000, 4000), realizations=5)


# Numbers and HTML


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        ([0.123456, 123456.0, -0.00123456], {"digits": 3}, [0.123, 123000, -0.00123]),
        ([[np.nan, 0.0], [np.inf, 2.0]], {"digits": 2}, [[None, 0], [None, 2]]),
        ([0.12345, 2.0], {"decimals": 2}, [0.12, 2]),
    ],
)
def test_plain_numbers(value, options, expected):
    assert plain(np.array(value), **options) == expected


def test_html_holds_payload_picture_and_scripts_once():
    buffer = io.BytesIO()
    Image.new("RGB", (150, 75), "white").save(buffer, format="png")
    figure = LiveFigure("collapse", {"text": "</script><b>", "x": [1, None]}, buffer.getvalue(), 'a "quoted" picture')
    text = figure.html()
    data = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1]
    assert json.loads(data) == figure.payload
    assert 'alt="a &quot;quoted&quot; picture"' in text
    names = json.loads(re.search(r"for \(const name of (\[.*?\])\)", text)[1])
    assert names[1:] == [
        "plotly/plotly-basic.min.js",
        "live/common.js",
        "live/chi2.js",
        "live/own.js",
        "live/collapse.js",
    ]
    assert all((LIVE.parent / name).is_file() for name in names)
    small = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    assert Image.open(io.BytesIO(small)).size == (80, 40)
    bundle = figure._repr_mimebundle_()
    assert bundle["text/html"] == text
    assert base64.b64decode(bundle["image/png"]) == buffer.getvalue()


def test_payload_with_nan_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        LiveFigure("phase", {"x": float("nan")}, b"", "").json()


def test_two_runs_give_the_same_html(rows):
    assert live.phase_figure(rows).html() == live.phase_figure(rows).html()


def test_plotly_is_the_file_that_its_readme_names():
    folder = LIVE.parent / "plotly"
    digest, name = re.search(r"SHA-256 +(\w+) +(\S+)", (folder / "README.txt").read_text()).groups()
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "MIT" in (folder / name).read_text(encoding="utf-8")[:300]
    assert "Permission is hereby granted" in (folder / "LICENSE").read_text()


# The phase diagram


def test_phase_payload_is_the_analysis_rounded(rows):
    data = phase_payload(observables.plane(rows, common=False))
    loss, accuracy = observables.averages(rows, "loss"), observables.averages(rows, "accuracy")
    plane = observables.classify(observables.exponents(loss), loss, accuracy)
    for _, point in plane.sample(25, random_state=1).iterrows():
        i, j = data["p_train"].index(point["p_train"]), data["p_eval"].index(point["p_eval"])
        assert data["alpha"][i][j] == pytest.approx(point["alpha"], abs=6e-5)
        assert data["alpha_error"][i][j] == pytest.approx(point["alpha_error"], rel=0.06)
        assert data["phases"][data["phase"][i][j]] == point["phase"]
        here = loss[(loss["p_train"] == point["p_train"]) & (loss["p_eval"] == point["p_eval"])].sort_values("n_train")
        assert data["loss"][i][j] == pytest.approx(here["mean"].tolist(), rel=5e-4)
        law = data["amplitude"][i][j] * np.array(data["n_fit"]) ** data["alpha"][i][j]
        assert law == pytest.approx(point["amplitude"] * np.array(data["n_fit"]) ** point["alpha"], rel=2e-3)
    assert data["accuracy_n"] == 4000
    assert data["networks"] == 3 * 4 * 5
    # known truth of the table: alpha = p_eval - 0.4 - p_train / 2, amentia at 0.99
    assert data["alpha"][0][-1] == pytest.approx(0.55, abs=0.05)
    assert {data["phases"][code] for code in data["phase"][2]} == {"amentia"}


def test_missing_points_are_none(rows):
    lacking = rows[~((rows["p_train"] == 0.3) & (rows["p_eval"] == rows["p_eval"].max()))]
    lacking = lacking[~((lacking["p_train"] == 0.0) & (lacking["n_train"] == 4000))]
    data = phase_payload(observables.plane(lacking, common=False))
    assert data["loss"][1][-1] == [None] * 4
    assert data["phase"][1][-1] is None
    assert data["loss"][0][0][3] is None
    assert data["loss"][0][0][0] is not None
    json.dumps(data, allow_nan=False)


def test_one_size_has_no_exponent_but_a_payload(rows):
    data = phase_payload(observables.plane(rows[rows["n_train"] == 500], common=False))
    assert data["alpha"][0] == [None] * len(data["p_eval"])
    assert data["alpha_limit"] == 1.0
    assert data["boundary"]["p_train"] == []


def test_phase_figure_names_the_missing_architecture(rows):
    with pytest.raises(ValueError, match="depth = 3 and width = 100"):
        live.phase_figure(rows, depth=3)


# The collapse explorer


def random_lines(seed: int) -> dict[float, CollapseData]:
    """Lines with curves that cross, of both kinds, with gridded p so that p_c can meet a grid point."""
    out = {}
    for k, (ansatz, nu) in enumerate([(BKT(), 0.7), (Algebraic(), 4.0), (BKT(), 3.0)]):
        rng = np.random.default_rng([seed, k])
        p, n = (a.ravel() for a in np.meshgrid(np.arange(8, 33) / 40, [500.0, 1000, 4000, 32000], indexing="ij"))
        x = ansatz.x(p, n, 0.5, nu)
        y = np.exp(np.tanh(x / np.abs(x).max() * 2))
        sigma = y * rng.uniform(0.005, 0.03, y.size)
        out[0.1 * k] = CollapseData(p, n, y + sigma * rng.standard_normal(y.size), sigma)
    return out


def settings(rng: np.random.Generator, n: int, p: list[float]) -> list[dict]:
    """Random places of the sliders; every fourth p_c on a point of the grid, where x ties."""
    out = []
    for k in range(n):
        ansatz = ("bkt", "algebraic")[k % 2]
        low, high = {"bkt": (0.1, 20), "algebraic": (0.3, 200)}[ansatz]
        p_c = float(rng.choice(p)) if k % 4 < 2 and k % 8 < 4 else float(rng.uniform(min(p), max(p)))
        nu, l0 = (
            float(np.exp(rng.uniform(np.log(low), np.log(high)))),
            float(np.exp(rng.uniform(np.log(0.1), np.log(100)))),
        )
        out.append({"ansatz": ansatz, "p_c": p_c, "nu": nu, "l0": l0, "line": int(rng.integers(3))})
    return out


def python_chi2(data: CollapseData, where: dict) -> float:
    ansatz = BKT(where["l0"]) if where["ansatz"] == "bkt" else Algebraic()
    return reduced_chi_squared(data.p, data.n_train, data.y, data.sigma, ansatz, where["p_c"], where["nu"])


def places_of(lines: dict[float, CollapseData], payload: dict, seed: int, n: int) -> list[dict]:
    """Random places of all sliders."""
    rng = np.random.default_rng(seed)
    places = settings(rng, n, payload["lines"][0]["p"])
    for place in places:
        place["line"] %= len(lines)
        place["first"] = int(rng.integers(len(payload["lines"][place["line"]]["first"])))
        place["half_width"] = float(rng.choice(payload["half_widths"]))
    return places


def points_at(lines: dict[float, CollapseData], payload: dict, place: dict) -> CollapseData:
    data = rounded(lines[sorted(lines)[place["line"]]])
    crossing = payload["lines"][place["line"]]["crossing"][place["first"]]
    return selected(data, crossing, data.sizes[place["first"]], place["half_width"])


def ragged_lines(seed: int) -> dict[float, CollapseData]:
    """Lines that do not all have the same sizes, as where half octaves were added at some p_train only."""
    lines = random_lines(seed)
    for p_train in (0.0, 0.1):
        data = lines[p_train]
        keep = data.n_train != (1000 if p_train == 0.0 else 4000)
        lines[p_train] = data.select(keep)
    return lines


@pytest.mark.parametrize("make", [random_lines, ragged_lines])
def test_chi_squared_of_the_page_equals_python(make):
    lines = make(1)
    payload, _ = collapse_payload(lines)
    places = places_of(lines, payload, 1, 300)
    body = """return data.places.map((place) => {
        const chosen = live.chi2.choose(data.payload.lines[place.line], place.first, place.half_width);
        return [chosen.p.length, live.chi2.chi2(live.chi2.prepare(chosen, data.payload.sizes), place)];
    });"""
    found = evaluate("chi2.js", body, {"payload": payload, "places": places})
    points = [points_at(lines, payload, place) for place in places]
    assert [n for n, _ in found] == [part.p.size for part in points]
    assert len({part.p.size for part in points}) > 5  # the sliders do choose
    expected = [python_chi2(part, place) for part, place in zip(points, places, strict=True)]
    assert [chi2 for _, chi2 in found] == pytest.approx(expected, rel=1e-6)


def test_best_fit_of_the_page_is_that_of_python():
    lines = random_lines(3)
    payload, fits = collapse_payload(lines)
    body = """return data.lines.map((line) => ["bkt", "algebraic"].map((ansatz) => {
        const chosen = live.chi2.choose(line, line.start.first, data.half_widths[line.start.window]);
        const best = live.chi2.bestFit(live.chi2.prepare(chosen, data.sizes), { ansatz, l0: 1 }, data.ansatz[ansatz].nu);
        return { ...best, region: live.chi2.region(best.grid, data.level * best.chi2) };
    }));"""
    for line, found in zip(payload["lines"], evaluate("chi2.js", body, payload), strict=True):
        for name, best in zip(("bkt", "algebraic"), found, strict=True):
            fit = fits[line["p_train"]][name]
            # the landscape has small jumps, so two searches may end in neighbouring dips
            assert best["chi2"] <= 1.01 * fit.chi_squared
            assert fit.p_c_contour[0] - 0.01 <= best["p_c"] <= fit.p_c_contour[1] + 0.01
            assert 0.9 * fit.nu_contour[0] <= best["nu"] <= 1.1 * fit.nu_contour[1]
            assert best["region"]["closed"] == (fit.status in ("ok", "split"))
            if fit.status == "ok":  # a grid sees the contour within two of its steps
                step = np.exp(2 * np.ptp(np.log(fit.ansatz.nu_bounds)) / 60)
                low, high = best["region"]["nu"]
                assert fit.nu_contour[0] / step <= low <= high <= fit.nu_contour[1] * step


def test_sliders_begin_in_the_scaling_regime():
    lines = random_lines(2)
    regimes = {p_train: scaling_regime(data) for p_train, data in lines.items()}
    assert any(regimes.values())
    payload, fits = collapse_payload(lines, half_width=0.25)
    for line in payload["lines"]:
        regime, start = regimes[line["p_train"]], line["start"]
        n_min = payload["sizes"][line["first"][start["first"]]]["n"]
        if regime is None:
            assert (n_min, payload["half_widths"][start["window"]]) == (500, 0.25)
        else:
            assert (n_min, payload["half_widths"][start["window"]]) == (regime.n_min, regime.half_width)
            assert fits[line["p_train"]]["bkt"].nu == pytest.approx(regime.fit.nu, rel=1e-3)


def test_contour_that_leaves_the_grid_is_open():
    body = """const axis = live.chi2.linspace(-2, 2, 81), at = (f) => axis.map((y) => axis.map((x) => f(x, y)));
        const region = (f) => live.chi2.region({ p_c: axis, lnNu: axis, values: at(f) }, 1);
        const circle = (x, y) => x * x + y * y;
        return [region(circle), region((x, y) => circle(x, y - 1.5)),
            region((x, y) => Math.min(circle(x, y), 0.1 + circle(x + 2, y - 2)))];"""
    closed, leaving, with_another = evaluate("chi2.js", body, None)
    assert closed["closed"]
    assert closed["p_c"] == pytest.approx([-1, 1])
    assert closed["nu"] == pytest.approx([np.exp(-1), np.exp(1)])
    assert not leaving["closed"]
    assert with_another == closed  # a region apart from that of the minimum is not part of it


def test_contour_of_the_page_encloses_a_known_region():
    """The level of x^2 + y^2 is a circle."""
    body = """const axis = live.chi2.linspace(-2, 2, 81), values = axis.map((y) => axis.map((x) => x * x + y * y));
        return live.chi2.contour(axis, axis, values, 1);"""
    segments = np.array(evaluate("chi2.js", body, None))
    assert np.hypot(segments[:, 0], segments[:, 1]) == pytest.approx(np.ones(len(segments)), abs=2e-3)
    assert np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1]).sum() == pytest.approx(
        2 * np.pi, rel=1e-2
    )


def test_fits_are_of_the_points_in_the_page():
    lines = random_lines(4)
    payload, fits = collapse_payload(lines, l0=2.0)
    assert payload["l0"]["value"] == 2.0
    for index, line in enumerate(payload["lines"]):
        sizes = np.array([size["n"] for size in payload["sizes"]], dtype=float)
        place = {
            "line": index,
            "first": line["start"]["first"],
            "half_width": payload["half_widths"][line["start"]["window"]],
        }
        whole = CollapseData(line["p"], sizes[line["size"]], line["y"], line["sigma"])
        data = selected(whole, line["crossing"][place["first"]], whole.sizes[place["first"]], place["half_width"])
        again = fit_collapse(data, BKT(2.0), n_bootstrap=0)
        assert line["fits"]["bkt"]["chi2"] == round(again.chi_squared, 4)
        assert fits[line["p_train"]]["bkt"].p_c == again.p_c
        assert line["fits"]["bkt"]["n_min"] == data.sizes[0]


@pytest.mark.parametrize("l0", [0.01, 400.0])
def test_l0_outside_the_slider_is_refused(l0):
    with pytest.raises(ValueError, match="outside the slider"):
        collapse_payload(random_lines(5), l0=l0)


def test_no_lines_are_refused():
    with pytest.raises(ValueError, match="no lines"):
        collapse_payload({})


def test_window_of_no_width_is_refused():
    with pytest.raises(ValueError, match="half_width = 0 must be positive"):
        collapse_payload(random_lines(5), half_width=0)


def test_table_of_fits(rows):
    table = live.fits_table(live.collapse_figure(rows, [0.0, 0.3]))
    assert table.index.tolist() == [(0.0, "bkt"), (0.0, "algebraic"), (0.3, "bkt"), (0.3, "algebraic")]
    figure = live.collapse_figure(rows, [0.3], half_width=0.2)
    line = figure.payload["lines"][0]
    assert live.fits_table(figure).loc[(0.3, "algebraic"), "nu"] == line["fits"]["algebraic"]["nu"]
    assert {"n_min", "half_width"} <= set(table.columns)


# The pruned digit


@pytest.fixture(scope="module")
def networks(mnist):
    training = Training(max_epochs=10, n_validation=1000)
    return live.train_networks(((500, 0.0), (500, 0.5)), training, passes=1, data=mnist)


def test_eight_bits_keep_the_weights():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 5, 40))
    weights[0, 0] = 0
    q, scale = quantised(weights)
    assert q.dtype == np.int8
    assert (np.abs(q * scale[..., None] - weights) <= 0.5001 * scale[..., None]).all()
    assert np.abs(q[1:]).max(axis=-1).min() == 127
    with pytest.raises(ValueError, match="not finite"):
        quantised(np.full((1, 1, 2), np.nan))


def test_reduced_networks_are_nearly_the_trained_ones(networks):
    assert networks.accuracy[:, 0].min() > 0.7
    assert np.abs(networks.accuracy - networks.accuracy_before).max() < 0.02
    first = networks.parameters().weights[0].reshape(2, 100, 28, 28)
    assert not first[..., :BORDER, :].any()
    assert not first[..., -BORDER:].any()


def test_networks_survive_storage(networks, tmp_path):
    save_networks(networks, tmp_path / "n.npz", note="test")
    again = live.load_networks(tmp_path / "n.npz")
    for field in dataclasses.fields(networks):
        old, new = getattr(networks, field.name), getattr(again, field.name)
        pairs = zip(old, new, strict=True) if isinstance(old, tuple) else [(old, new)]
        assert all(np.array_equal(a, b) for a, b in pairs), field.name
    np.savez(tmp_path / "bad.npz", n_train=[1])
    with pytest.raises(ValueError, match="lacks"):
        live.load_networks(tmp_path / "bad.npz")


def forward(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, keep: list[np.ndarray], p: float) -> np.ndarray:
    """Eqs. 1 and 20, in numpy."""
    for (w, b), mask in zip(layers[:-1], keep, strict=True):
        x = np.maximum(w @ x + b, 0) * mask / (1 - p)
    w, b = layers[-1]
    return w @ x + b


def test_logits_of_the_page_equal_python(networks, mnist, rows):
    payload = digit_payload(rows, networks, mnist, per_digit=1)
    rng = np.random.default_rng(0)
    cases = [{"net": k % 2, "image": int(rng.integers(10)), "p": p, "keep": (rng.random((2, 100)) < 1 - p).astype(int).tolist()}
             for k, p in enumerate([0.0, 0.3, 0.8, 0.975] * 3)]  # fmt: skip
    body = """const images = live.pruned.decode(data.payload.images, Uint8Array), n = data.payload.side ** 2;
        return data.cases.map((one) => {
            const layers = live.pruned.network(data.payload.networks[one.net]);
            const x = Float64Array.from(images.subarray(one.image * n, (one.image + 1) * n), (v) => v / 255);
            return Array.from(live.pruned.logits(layers, live.pruned.first(layers, x), one.keep, one.p));
        });"""
    found = evaluate("pruned.js", body, {"payload": payload, "cases": cases})
    parameters = networks.parameters()
    chosen = [int(np.flatnonzero(mnist.test_labels.numpy() == digit)[0]) for digit in range(10)]
    for one, z in zip(cases, found, strict=True):
        single = parameters.network(one["net"], 0)
        layers = [
            (w[0, 0].double().numpy(), b[0, 0, :, 0].double().numpy())
            for w, b in zip(single.weights, single.biases, strict=True)
        ]
        image = mnist.test_images[chosen[one["image"]]].double().numpy()
        assert z == pytest.approx(forward(layers, image, np.array(one["keep"]), one["p"]), rel=1e-4, abs=1e-4)


def test_masks_of_the_page_are_repeatable_nested_and_of_the_right_rate():
    body = """const layers = [{ rows: 100 }, { rows: 100 }];
        const kept = (seed, k, p) => live.pruned.mask(layers, seed, k, p).map((one) => Array.from(one)).flat();
        return { a: kept(1, 3, 0.4), again: kept(1, 3, 0.4), less: kept(1, 3, 0.7), other: kept(2, 3, 0.4),
            rates: [0, 0.25, 0.9].map((p) => {
                let sum = 0;
                for (let k = 0; k < 500; k++) sum += kept(1, k, p).reduce((a, b) => a + b, 0);
                return sum / 500 / 200;
            }) };"""
    found = evaluate("pruned.js", body, None)
    assert found["a"] == found["again"]
    assert found["a"] != found["other"]
    assert all(b <= a for a, b in zip(found["a"], found["less"], strict=True))
    # 100 000 draws: five standard errors are below 0.01
    assert found["rates"] == pytest.approx([1, 0.75, 0.1], abs=0.01)


def test_answers_of_the_page_are_right_without_pruning(networks, mnist, rows):
    payload = digit_payload(rows, networks, mnist, per_digit=2)
    body = """const images = live.pruned.decode(data.images, Uint8Array), n = data.side ** 2;
        const layers = live.pruned.network(data.networks[0]);
        return Array.from({ length: 20 }, (_, i) => {
            const x = Float64Array.from(images.subarray(i * n, (i + 1) * n), (v) => v / 255);
            return live.pruned.answers(layers, x, 0, { masks: 7, label: Math.floor(i / 2) });
        });"""
    found = evaluate("pruned.js", body, payload)
    assert all(sorted(one["counts"])[-2:] == [0, 7] for one in found)  # without pruning all masks are the same
    right = [one["counts"][i // 2] == 7 for i, one in enumerate(found)]
    chosen = np.concatenate([np.flatnonzero(mnist.test_labels.numpy() == digit)[:2] for digit in range(10)])
    answers = predict(networks.parameters().network(0, 0), 0, Training(), 0.0, 1, mnist.test_images[chosen])[0].tolist()
    assert [one["counts"].index(7) for one in found] == answers
    assert all((one["loss"] < np.log(10)) or not ok for one, ok in zip(found, right, strict=True))


def test_masks_of_the_page_are_those_of_the_network():
    closeup = load_closeup()
    payload = mask_payload(closeup)
    body = """const steps = live.mask.removed(data);
        return [0, 10, 31].map((step) => Array.from(live.mask.degrees(steps, data.side ** 2, step)));"""
    for step, found in zip((0, 10, 31), evaluate("mask.js", body, payload), strict=True):
        assert found == (closeup.removed > step).sum(0).tolist()
    assert len(live.mask_figure().html()) < 400_000
    with pytest.raises(ValueError, match="shorten the path"):
        mask_payload(closeup._replace(removed=closeup.removed + 30))


def test_phases_of_points_that_were_not_computed_are_none(rows):
    known, unknown = phases_at(rows, [0.0, 0.123], [0.1, 0.5, 0.123])
    assert known[2] is None
    assert known[0] == "eumentia"
    assert unknown == [None] * 3


def test_too_many_images_are_refused(networks, mnist, rows):
    with pytest.raises(ValueError, match="only 892 images"):
        digit_payload(rows, networks, mnist, per_digit=10_000)


def test_shipped_networks_reach_what_the_file_says(mnist):
    """The accuracy of the unpruned networks, computed again from the stored weights in plain numpy."""
    stored = live.load_networks()
    images, labels = mnist.test_images.double().numpy(), mnist.test_labels.numpy()
    for k in range(len(stored.n_train)):
        x, single = images.T, stored.parameters().network(k, 0)
        for layer, (w, b) in enumerate(zip(single.weights, single.biases, strict=True)):
            x = w[0, 0].double().numpy() @ x + b[0, 0].double().numpy()
            x = np.maximum(x, 0) if layer < 2 else x
        assert (x.argmax(axis=0) == labels).mean() == pytest.approx(stored.accuracy[k, 0], abs=3e-4)


def test_live_figures_stay_below_two_megabytes():
    """Uncompressed: plotly, scripts, style, and the three elements with their data and pictures as stored in the notebook."""
    notebook = json.loads((REPOSITORY / "notebooks" / "12_play.ipynb").read_text())
    outputs = [
        out["data"]["text/html"]
        for cell in notebook["cells"]
        for out in cell.get("outputs", [])
        if "text/html" in out.get("data", {})
    ]
    elements = [text for text in map("".join, outputs) if 'class="pp-live"' in text]
    assert len(elements) == 3
    files = [*LIVE.glob("*"), LIVE.parent / "plotly" / "plotly-basic.min.js"]
    assert sum(map(len, elements)) + sum(path.stat().st_size for path in files) < 2_000_000


# A table of the reader's own


def own(body: str, data: object) -> object:
    """The value of `body` where own.js and chi2.js, and the colours that common.js gives, are there."""
    ramp = "live.ramp = () => '#000000';"
    source = (LIVE / "chi2.js").read_text(encoding="utf-8")
    return evaluate("own.js", f"{ramp} {source}; {body}", data)


@pytest.fixture(scope="module")
def percolation() -> str:
    return (REPOSITORY / "data/example_percolation.csv").read_text()


COLORS = {"sequential": ["#000000", "#ffffff"]}


@pytest.mark.parametrize("kind", ["realization", "repeats", "error", "none"])
def test_own_table_gives_the_points_and_the_fit_of_python(percolation, kind, tmp_path):
    frame = pd.read_csv(io.StringIO(percolation), comment="#")
    if kind == "repeats":
        frame = frame.drop(columns="realization")
    elif kind != "realization":
        frame = frame.groupby(["size", "parameter"])["value"].agg(value="mean", error="sem").reset_index()
        frame = frame.drop(columns="error") if kind == "none" else frame
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    points = read_points(path)
    body = """
        const own = live.own.payload({ colors: data.colors }, data.text, "mine"), line = own.lines[0];
        const points = live.chi2.prepare(line, own.sizes), fixed = { ansatz: "algebraic", l0: 1 };
        return { own, chi2: live.chi2.chi2(points, { ...fixed, p_c: 0.5, nu: 1.3 }), best: live.chi2.bestFit(points, fixed, data.nu) };
    """
    nu = list(Algebraic().nu_bounds)
    found = own(body, {"text": path.read_text(), "colors": COLORS, "nu": nu})
    line = found["own"]["lines"][0]
    order = np.lexsort((points.p, points.n_train))
    sizes = np.array([size["n"] for size in found["own"]["sizes"]])
    assert np.array_equal(sizes[line["size"]], points.n_train[order])
    np.testing.assert_allclose(line["y"], points.y[order], rtol=1e-12)
    sigma = np.ones(points.p.size) if points.sigma is None else points.sigma[order]
    np.testing.assert_allclose(line["sigma"], sigma, rtol=1e-9)
    assert line["relative"] == (kind == "none")
    expected = reduced_chi_squared(points.p, points.n_train, points.y, points.sigma, Algebraic(), 0.5, 1.3)
    assert found["chi2"] == pytest.approx(expected, rel=1e-6)
    fit = fit_collapse(points, Algebraic(), n_bootstrap=0)
    assert found["best"]["chi2"] == pytest.approx(fit.chi_squared, rel=0.02)
    assert (found["best"]["p_c"], found["best"]["nu"]) == (
        pytest.approx(0.5, abs=0.001),
        pytest.approx(4 / 3, rel=0.05),
    )
    assert line["crossing"] == [pytest.approx(0.5, abs=0.003)] * 2


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: lines[:1], "no table"),
        (
            lambda lines: [*lines[:3], lines[3].rpartition(",")[0] + ",n/a", *lines[4:]],
            'line 4: value = "n/a"',
        ),
        (
            lambda lines: [*lines[:3], lines[3].rpartition(",")[0] + ",", *lines[4:]],
            "line 4: value is empty",
        ),
        (lambda lines: [lines[0].replace("value", "y"), *lines[1:]], "the column value is missing"),
        (lambda lines: [lines[0], *(line for line in lines[1:] if line.startswith("16,"))], "at least two sizes"),
        (lambda lines: [*lines, "256,0.5,0,0.4", "256,0.5,1,0.5"], "fewer than 4 points of size 256"),
        (lambda lines: [*lines, "256,0.5"], r"line \d+ has 2 columns"),
    ],
)
def test_own_table_with_a_fault_is_refused_with_its_line(percolation, spoil, says):
    lines = [line for line in percolation.splitlines() if not line.startswith("#")]
    body = "try { live.own.read(data); return null; } catch (error) { return error.message; }"
    assert re.search(says, own(body, "\n".join(spoil(lines))))


# The energy landscape of a deep linear network


@pytest.mark.parametrize("layers", [2, 3, 4])
@pytest.mark.parametrize("strength", [0.9, 0.5])
def test_the_landscape_of_the_page_is_that_of_python(layers, strength):
    """Energy, ends, equal energy and the way up and down of a state, to 1e-6."""
    limit, lowest = penalty.stability(strength, layers)
    up = np.linspace(0, 1.1, 23) * limit
    body = """const { energy, stability, equal, settle } = live.landscape, { path, strength: eta, layers: n } = data;
        let mu = eta;
        const states = path.map((value) => (mu = settle(mu, value, eta, n)));
        return { end: stability(eta, n), equal: equal(eta, n), states, energies: path.map((value) => energy(0.3, value, eta, n)) };"""
    path = [*up, *up[-2::-1]]
    found = evaluate("landscape.js", body, {"path": path, "strength": strength, "layers": layers})
    assert [found["end"]["penalty"], found["end"]["mu"]] == pytest.approx([limit, lowest], abs=1e-6)
    both = penalty.equal_energy(strength, layers)
    assert [found["equal"]["penalty"], found["equal"]["mu"]] == pytest.approx(both, abs=1e-6)
    assert found["energies"] == pytest.approx([penalty.energy(0.3, v, strength, layers) for v in path], abs=1e-6)
    learned = [penalty.learned(value, strength, layers) for value in path]
    back = [mu if layers == 2 or value == 0 else 0 for value, mu in zip(path, learned, strict=True)]
    expected = learned[: len(up)] + back[len(up) :]
    assert found["states"] == pytest.approx(expected, abs=1e-6)


def test_the_landscape_has_a_picture_and_its_scripts():
    figure = live.onset_figure()
    assert figure.payload["layers"] == [2, 3, 4]
    assert '"live/landscape.js", "live/onset.js"' in figure.html()
    with pytest.raises(ValueError, match="at least 2"):
        live.onset_figure(layers=(1, 3))


# The plane at a temperature


@pytest.fixture(scope="module")
def cooled_study():
    return theory_study.evidence(), theory_study.cooling()


def test_the_plane_at_a_temperature_is_that_of_python(cooled_study):
    """Between the measured temperatures, to 1e-6; at them, and calibrated, the exponents of the page."""
    found, cooled = cooled_study
    data = temperature_payload(found, cooled)
    ln_t = data["ln_t"]["first"] + data["ln_t"]["step"] * np.arange(data["ln_t"]["n"])
    places = [*np.random.default_rng(0).uniform(ln_t[0], ln_t[-1], 5), 0.0, ln_t[-1], None]
    body = "const all = live.cooling.unpacked(data); return data.places.map((lnT) => live.cooling.plane(all, lnT))"
    shown = evaluate("cooling.js", body, data | {"places": places})
    shape = (len(data["p_train"]), len(data["p_eval"]), len(data["sizes"]), len(ln_t))
    loss, slope = (
        np.frombuffer(base64.b64decode(data[name]), kind).reshape(shape) * data["units"][name]
        for name, kind in (("loss", "<i2"), ("slope", "<i1"))
    )
    curves = CubicHermiteSpline(ln_t, loss, slope, axis=-1)
    sizes = np.array([size["n"] for size in data["sizes"]])
    large = sizes >= found.n_min
    for place, one in zip(places, shown, strict=True):
        loss = (np.array(data["fitted"]) if place is None else curves(place))[..., large]
        slopes = np.polyfit(np.log(sizes[large]), loss.reshape(-1, large.sum()).T, 1)[0]
        assert np.array(one["alpha"]).ravel() == pytest.approx(slopes, abs=1e-6)
        for alpha, border in zip(one["alpha"], one["border"], strict=True):
            up = [k for k in range(len(alpha) - 1) if alpha[k] < 0 <= alpha[k + 1]]
            expected = np.interp(0, alpha[up[-1] : up[-1] + 2], data["p_eval"][up[-1] : up[-1] + 2]) if up else None
            assert border == (None if expected is None else pytest.approx(expected, abs=1e-6))
    for column, one in (("loss", shown[5]), ("loss_calibrated", shown[7])):
        page = theory_study.exponent_plane(found, column)["alpha"]
        assert np.array(one["alpha"]).ravel() == pytest.approx(page, abs=2e-4), "of the payload's rounding"
    with pytest.raises(ValueError, match="larger unit"):
        integers(np.array([1.3]), 0.01, np.int8)


def test_losses_between_measured_temperatures_are_good_to_a_per_mille(cooled_study):
    cooled = cooled_study[1]
    table = cooled.pivot(index=["p_train", "p_eval", "n_train", "realization"], columns="temperature")
    ln_t, loss = np.log(table["loss"].columns.to_numpy()), np.log(table["loss"].to_numpy())
    half = CubicHermiteSpline(ln_t[::2], loss[:, ::2], table["slope"].to_numpy()[:, ::2], axis=1)
    # with every second temperature left out; with all of them the error of cubics is smaller by 2⁴
    assert np.abs(half(ln_t[1::2]) - loss[:, 1::2]).max() < 16e-3


def test_the_plane_at_a_temperature_has_a_picture_and_its_scripts(cooled_study):
    figure = live.temperature_figure(*cooled_study)
    assert '"live/cooling.js", "live/temperature.js"' in figure.html()
    assert len(figure.html()) < 500_000


def test_a_link_to_a_live_figure_names_its_state():
    shown = live.LiveLink("collapse", "Move & see", {"p_train": 0.15, "best": 1})._repr_mimebundle_()
    assert 'href="12_play.html?live=collapse&amp;p_train=0.15&amp;best=1#live-collapse"' in shown["text/html"]
    assert ">Move &amp; see</a>" in shown["text/html"]
