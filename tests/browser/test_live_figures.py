"""The live figures in a real browser: controls do what they say, by mouse and keyboard, on a phone, in the dark, without scripts."""

import re

import numpy as np
import pytest
from offline import PHONE

from pruning_phases.collapse import BKT, Algebraic, CollapseData, fit_collapse, reduced_chi_squared
from pruning_phases.notebooks import REPOSITORY
from pruning_phases_book.live.collapse import selected

pytestmark = pytest.mark.book
PAGE = "sections/12_play.html"
KINDS = ("phase", "collapse", "digit")


SNAPSHOT = """(kind) => {
    const copy = document.getElementById(`live-${kind}`).cloneNode(true);
    copy.querySelectorAll(".pp-heard").forEach((node) => node.replaceChildren());  // follows later
    return copy.innerHTML;
}"""
AFRESH = """(kind) => {
    const root = document.getElementById(`live-${kind}`);
    root.querySelector(".pp-body").remove();
    delete root.dataset.ready;
    pruningPhases.start(kind, pruningPhases.figures[kind]);
}"""
"""Draws a figure as when the page is opened: all that it knows, it keeps in what it draws."""


def drawn(page) -> None:
    """Wait until the three figures are drawn."""
    for kind in KINDS:
        page.wait_for_selector(f"#live-{kind}[data-ready] .pp-readout b")
    settle(page)


@pytest.fixture(scope="module")
def shared(keep_page):
    """The page, opened once for all tests, which takes most of their time; what its figures are when nobody has touched them."""
    opened = keep_page(PAGE)
    drawn(opened.page)
    return opened, {kind: opened.page.evaluate(SNAPSHOT, kind) for kind in KINDS}


@pytest.fixture
def live(open_page, request):
    """A function that gives the page with figures untouched: the shared one, drawn afresh where need be, or, with options, another."""

    def opened(**options):
        if options:
            one = open_page(PAGE, **options)
        else:
            one, untouched = request.getfixturevalue("shared")
            touched = [kind for kind in KINDS if one.page.evaluate(SNAPSHOT, kind) != untouched[kind]]
            for kind in touched:
                one.page.evaluate(AFRESH, kind)
            one.page.mouse.move(0, 0)
            one.page.evaluate("scrollTo(0, 0)")
        drawn(one.page)
        if not options:
            untouched.update({kind: one.page.evaluate(SNAPSHOT, kind) for kind in touched})
        return one

    return opened


def settle(page) -> None:
    """Drawing is done in the next frame at the latest."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def text(page, kind: str) -> str:
    settle(page)
    return page.locator(f'[data-readout="{kind}"]').inner_text()


def at(page, i: int, j: int) -> tuple[float, float]:
    """Position on the screen of a point of the plane."""
    return tuple(
        page.evaluate(
            """([i, j]) => {
                const { p_train, p_eval, edges } = pruningPhases.phase.data;
                const box = document.querySelector('[data-plot="map"] .nsewdrag').getBoundingClientRect();
                const part = (v, e) => (v - e[0]) / (e[e.length - 1] - e[0]);
                return [box.x + box.width * part(p_train[i], edges.p_train),
                    box.y + box.height * (1 - part(p_eval[j], edges.p_eval))];
            }""",
            [i, j],
        )
    )


# All figures


def test_page_loads_plotly_once_and_nothing_fails(live):
    opened = live(script=True)
    scripts = opened.page.evaluate("[...document.scripts].map((s) => s.src).filter(Boolean)")
    assert sum("plotly" in address for address in scripts) == 1
    assert len(scripts) == len(set(scripts))
    assert opened.errors == []
    assert opened.elsewhere == []
    assert opened.page.locator(".pp-static").count() == 0
    assert opened.page.evaluate("document.querySelectorAll('.pp-live .main-svg').length") >= 7


def test_other_pages_do_not_load_plotly(open_page):
    opened = open_page("sections/01_phase_diagram.html")
    assert not [path.name for path in opened.files if "plotly" in path.name or path.parent.name == "live"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_there_is_a_picture(open_page, kind):
    page = open_page(PAGE, script=False).page
    picture = page.locator(f"#live-{kind} .pp-static")
    assert picture.is_visible()
    assert len(picture.get_attribute("alt").split()) > 10
    assert picture.bounding_box()["width"] > 300


def test_on_a_phone_nothing_is_wider_than_the_screen(live):
    page = live(size=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = """(kind) => [...document.querySelectorAll(`#live-${kind} *`)]
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && e.getBoundingClientRect().width > 2)
        .map((e) => e.tagName + "." + e.className)"""
    assert [page.evaluate(wide, kind) for kind in KINDS] == [[], [], []]
    page.locator('[data-plot="map"]').scroll_into_view_if_needed()
    page.touchscreen.tap(*at(page, 3, 10))
    page.wait_for_function("String(pruningPhases.phase.state.chosen) === '3,10'")
    page.locator('#live-collapse button:has-text("best fit")').tap()
    assert "here" in text(page, "collapse")


def test_switching_to_dark_recolours_the_figures(live):
    page = live(dark=False).page
    color = "() => document.querySelector('[data-plot=\"curves\"]').layout.font.color"
    first = page.evaluate("() => document.querySelector('[data-plot=\"curves\"]').data[0].marker.color")
    light = page.evaluate(color)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    settle(page)
    settle(page)
    assert page.evaluate(color) != light
    assert page.evaluate("() => document.querySelector('[data-plot=\"curves\"]').data[0].marker.color") != first
    background = page.evaluate("getComputedStyle(document.querySelector('#live-phase').parentElement).backgroundColor")
    assert background == "rgba(0, 0, 0, 0)"


def test_every_control_has_a_label(live):
    page = live().page
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(".pp-live :is(select, input, button)")]
            .filter((e) => !(e.labels?.length && e.labels[0].innerText.trim()) && !e.innerText?.trim())
            .map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator(".pp-live [aria-live]").count() == 3


# Phase diagram


def test_pointing_reads_a_point_and_clicking_chooses_it(live):
    page = live().page
    page.locator('[data-plot="map"]').scroll_into_view_if_needed()
    i, j = page.evaluate("[Math.floor(pruningPhases.phase.data.p_train.length / 2), 6]")
    said = page.evaluate("([i, j]) => pruningPhases.phase.describe([i, j]).replace(/<[^>]*>/g, '')", [i, j])
    before = page.evaluate("document.querySelector('[data-plot=\"scaling\"]').data[2].y")
    page.mouse.move(*at(page, i, j))
    page.wait_for_function("(s) => document.querySelector('[data-readout=\"phase\"]').textContent === s", arg=said)
    assert re.search(r"α = −?\d\.\d+ ± 0\.\d+, accuracy 0\.\d+ at N", said)
    assert page.evaluate("document.querySelector('[data-plot=\"scaling\"]').data[2].y") == before  # not chosen yet
    settle(page)  # a click counts where the pointer rests on a point, and a slow machine still draws it
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("([i, j]) => String(pruningPhases.phase.state.chosen) === String([i, j])", arg=[i, j])
    shown = page.evaluate("document.querySelector('[data-plot=\"scaling\"]').data.map((t) => [t.x, t.y])")
    data = page.evaluate("pruningPhases.phase.data")
    assert shown[2] == [[size["n"] for size in data["sizes"]], data["loss"][i][j]]
    law = data["amplitude"][i][j] * np.array(data["n_fit"], dtype=float) ** data["alpha"][i][j]
    assert shown[1][1] == pytest.approx(law.tolist())
    cuts = page.evaluate(
        "['cut-eval', 'cut-train'].map((c) => document.querySelector(`[data-plot=\"${c}\"]`).data[0].y)"
    )
    assert cuts[0] == [row[0] for row in data["loss"][i]]
    assert cuts[1] == [column[j][0] for column in data["loss"]]


def test_keys_move_over_the_plane_and_enter_chooses(live):
    page = live().page
    page.locator('[data-plot="map"]').focus()
    start = page.evaluate("pruningPhases.phase.state.focus")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("pruningPhases.phase.state.focus") == [start[0] + 2, start[1] - 1]
    assert page.evaluate("pruningPhases.phase.state.chosen") == start
    seen = text(page, "phase")
    page.wait_for_function("(s) => document.querySelector('#live-phase [aria-live]').textContent.length > 20", arg=seen)
    page.keyboard.press("Enter")
    assert page.evaluate("pruningPhases.phase.state.chosen") == [start[0] + 2, start[1] - 1]
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("pruningPhases.phase.state.focus[0]") == 0  # stays on the plane


@pytest.mark.parametrize("mode", ["alpha", "accuracy"])
def test_colours_of_the_plane(live, mode):
    page = live().page
    colors = "new Set(document.querySelector('[data-plot=\"map\"]').data[0].marker.color).size"
    assert page.evaluate(colors) <= 4
    page.locator("#live-phase select").select_option(mode)
    assert page.evaluate(colors) > 20
    assert page.locator("#live-phase .pp-gradient").is_visible()


# Collapse explorer


def chosen(page) -> CollapseData:
    """The points that the sliders choose, by Python."""
    state, data = page.evaluate("[pruningPhases.collapse.state, pruningPhases.collapse.data]")
    line = data["lines"][state["line"]]
    sizes = np.array([size["n"] for size in data["sizes"]], dtype=float)
    whole = CollapseData(line["p"], sizes[line["size"]], line["y"], line["sigma"])
    n_min, crossing = sizes[line["first"][state["first"]]], line["crossing"][state["first"]]
    return selected(whole, crossing, n_min, data["half_widths"][state["window"]])


def python_chi2(page) -> float:
    state, points = page.evaluate("pruningPhases.collapse.state"), chosen(page)
    ansatz = BKT(state["l0"]) if state["ansatz"] == "bkt" else Algebraic()
    return reduced_chi_squared(points.p, points.n_train, points.y, points.sigma, ansatz, state["p_c"], state["nu"])


def slide(page, slider: int, part: float) -> None:
    """Move a slider of the explorer to a fraction of its range, and wait for what follows."""
    page.evaluate(
        """([k, part]) => {
            const node = document.querySelectorAll('#live-collapse input[type="range"]')[k];
            const at = Number(node.min) + part * (node.max - node.min);
            node.value = node.step === "any" ? at : Math.round(at / node.step) * node.step;
            node.dispatchEvent(new Event("input"));
        }""",
        [slider, part],
    )
    settle(page)


SLIDERS = {"p_c": 0, "nu": 1, "l0": 2, "first": 3, "window": 4}


def test_chi_squared_follows_the_sliders_and_equals_python(live):
    page = live().page
    rng = np.random.default_rng(0)
    for ansatz in ("bkt", "algebraic", "bkt"):
        page.locator("#live-collapse select").nth(1).select_option(ansatz)
        for k in range(page.evaluate("pruningPhases.collapse.data.lines.length")):
            page.locator("#live-collapse select").nth(0).select_option(str(k))
            for name in ("first", "window", "p_c", "nu", *(["l0"] if ansatz == "bkt" else [])):
                slide(page, SLIDERS[name], float(rng.random()))
            assert page.evaluate("pruningPhases.collapse.chi2()") == pytest.approx(python_chi2(page), rel=1e-6)
            assert f"({chosen(page).p.size} points)" in text(page, "collapse")
    shown = float(page.locator('#live-collapse [data-value="chi2"]').inner_text())
    assert shown == pytest.approx(python_chi2(page), rel=1e-3)


def test_best_fit_is_not_worse_than_that_of_python(live):
    page = live().page
    data = page.evaluate("pruningPhases.collapse.data")
    for name in ("bkt", "algebraic"):
        page.locator("#live-collapse select").nth(1).select_option(name)
        for k, line in enumerate(data["lines"]):
            page.locator("#live-collapse select").nth(0).select_option(str(k))
            page.locator('#live-collapse button:has-text("best fit")').click()
            assert page.evaluate("pruningPhases.collapse.chi2()") <= 1.01 * line["fits"][name]["chi2"]


def test_slider_of_the_smallest_size_chooses_points_and_renews_the_landscape(live):
    page = live().page
    start = page.evaluate("pruningPhases.collapse.state")
    line = page.evaluate("pruningPhases.collapse.data.lines[pruningPhases.collapse.state.line]")
    assert (start["first"], start["window"]) == (line["start"]["first"], line["start"]["window"])
    page.locator('#live-collapse button:has-text("best fit")').click()
    sliders = page.locator('#live-collapse input[type="range"]')
    seen = []
    for part in (0.0, 0.5, 1.0):
        slide(page, SLIDERS["first"], part)
        points, fit = chosen(page), page.evaluate("pruningPhases.collapse.best()")
        assert page.evaluate("pruningPhases.collapse.points().p") == pytest.approx(points.p.tolist())
        value = page.evaluate("pruningPhases.collapse.chi2()")
        assert value == pytest.approx(fit["chi2"], rel=1e-9)  # at the best fit it stays there
        assert value <= 1.01 * fit_collapse(points, BKT(1.0), n_bootstrap=0).chi_squared
        drawn = page.evaluate("document.querySelector('[data-plot=\"curves\"]').data.filter((t) => t.x.length).length")
        assert drawn == points.sizes.size
        assert f"{points.sizes[0]:,.0f}".replace(",", "\u202f") in sliders.nth(SLIDERS["first"]).get_attribute(
            "aria-valuetext"
        )
        seen.append((points.p.size, fit["grid"]["values"][30][30]))
    assert len(set(seen)) == 3


def test_page_says_whether_the_contour_is_closed(live):
    """In the page's own words, against the same region drawn by Python, for every smallest size of every line."""
    page = live().page
    said = []
    for k, line in enumerate(page.evaluate("pruningPhases.collapse.data.lines")):
        page.locator("#live-collapse select").nth(0).select_option(str(k))
        for first in range(len(line["first"])):
            slide(page, SLIDERS["first"], first / max(1, len(line["first"]) - 1))
            fit = fit_collapse(chosen(page), BKT(1.0), n_bootstrap=0)
            words = text(page, "collapse")
            if fit.status == "edge":
                assert "not a fit" in words
            elif fit.status in ("ok", "open"):
                said.append(("contour closed" in words) == (fit.status == "ok"))
    assert np.mean(said) > 0.8  # a grid of the whole search cannot see every narrow bridge to its edge


def test_curves_move_and_the_point_in_the_landscape_with_them(live):
    page = live().page
    drawn = """() => ["curves", "landscape"].flatMap((name) => {
        const { data } = document.querySelector(`[data-plot="${name}"]`);
        return [data.find((trace) => trace.x.length).x, data.at(-1).y];
    })"""
    before = page.evaluate(drawn)
    nu = page.locator('#live-collapse input[type="range"]').nth(1)
    nu.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    settle(page)
    settle(page)
    after = page.evaluate(drawn)
    assert after != before
    box = page.locator('[data-plot="landscape"]').bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    settle(page)
    settle(page)
    assert page.evaluate(drawn) != after
    assert page.evaluate("pruningPhases.collapse.chi2()") == pytest.approx(python_chi2(page), rel=1e-6)


def test_l0_is_offered_for_the_bkt_length_alone_and_moves_the_best_nu(live):
    page = live().page
    sliders = page.locator('#live-collapse input[type="range"]')
    assert sliders.nth(2).is_visible()
    grid = "pruningPhases.collapse.best().grid.values[30][30]"
    before = page.evaluate(grid)
    sliders.nth(2).focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"{grid} !== {before}")
    page.locator("#live-collapse select").nth(1).select_option("algebraic")
    assert not sliders.nth(2).is_visible()


# The pruned digit


def counts(page) -> list[int]:
    settle(page)
    return page.evaluate("pruningPhases.digit.state.counts")


def test_points_differ_as_phases_do(live):
    page = live().page
    point = page.locator("#pp-digit-point")
    anchors = page.evaluate("pruningPhases.digit.data.anchors")
    share, answers = [], []
    for k in range(len(anchors)):
        point.select_option(str(k))
        of_digits = []
        for digit in range(10):
            page.locator("#live-digit select").nth(2).select_option(str(digit))
            of_digits.append(counts(page))
        share.append(np.mean([row[d] / sum(row) for d, row in enumerate(of_digits)]))
        answers.append({row.index(max(row)) for row in of_digits})
    amentia = next(
        k
        for k, (network, _) in enumerate(anchors)
        if page.evaluate("(n) => pruningPhases.digit.networks[n].p_train", network) > 0.95
    )
    assert share[0] > 0.8  # lightly pruned
    assert share[0] > max(share[2:4]) + 0.2  # strongly pruned
    assert len(answers[amentia]) == 1  # the same answer to every image


def test_more_pruning_lowers_the_share_of_right_answers(live):
    page = live().page
    page.locator("#live-digit select").nth(2).select_option("7")
    rate = page.locator('#live-digit input[type="range"]')
    rate.focus()
    page.keyboard.press("Home")
    unpruned = counts(page)
    assert sorted(unpruned)[-1] == sum(unpruned)  # all masks are the same
    page.keyboard.press("End")
    assert counts(page)[7] < 0.6 * sum(unpruned)
    assert "All 10\u202f000 test images" in text(page, "digit")
    assert page.locator("#pp-digit-point").input_value() == ""  # no longer one of the points offered


def test_drawn_digit_is_recognised(live):
    page = live().page
    page.locator('#live-digit button:has-text("draw your own")').click()
    pad = page.locator(".pp-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    x, y = box["x"] + 0.52 * box["width"], box["y"]
    page.mouse.move(x, y + 0.12 * box["height"])
    page.mouse.down()
    page.mouse.move(x, y + 0.88 * box["height"], steps=12)
    page.mouse.up()
    assert counts(page).index(max(counts(page))) == 1
    assert "Most frequent answer: 1" in text(page, "digit")
    page.locator('#live-digit button:has-text("next image")').click()
    assert "Right under" in text(page, "digit")


def test_next_mask_shows_another_mask_and_keeps_the_answers(live):
    page = live().page
    seen = page.locator("#live-digit .pp-column .pp-small").nth(1)
    before, answers = seen.inner_text(), counts(page)
    page.locator('#live-digit button:has-text("next mask")').click()
    settle(page)
    assert seen.inner_text() != before
    assert counts(page) == answers


def test_own_table_takes_the_place_of_the_lines_and_gives_it_back(live, tmp_path):
    page = live().page
    before = text(page, "collapse")
    choose = page.locator('#live-collapse input[type="file"]')
    bad = tmp_path / "bad.csv"
    bad.write_text("size,parameter,value\n8,0.1,high\n")
    choose.set_input_files(bad)
    said = page.locator('[data-readout="own"]')
    # the file is read while the page goes on
    page.wait_for_function("element => element.textContent", arg=said.element_handle())
    assert said.inner_text() == 'bad.csv: line 2: value = "high" is no finite number'
    assert text(page, "collapse") == before
    choose.set_input_files(REPOSITORY / "data/example_percolation.csv")
    page.wait_for_function("pruningPhases.collapse.data.names?.line === 'table'")
    page.locator("#live-collapse select").nth(1).select_option("algebraic")
    page.locator('#live-collapse button:has-text("best fit")').click()
    settle(page)
    assert page.evaluate("pruningPhases.collapse.chi2()") == pytest.approx(python_chi2(page), rel=1e-6)
    best = page.evaluate("pruningPhases.collapse.best()")
    assert (best["p_c"], best["nu"]) == (pytest.approx(0.5, abs=0.001), pytest.approx(4 / 3, rel=0.05))
    page.locator('#live-collapse button:has-text("lines again")').click()
    assert text(page, "collapse") == before


# The energy landscape, on the page of exact branches


def test_a_network_dragged_over_the_edge_stays_there_until_there_is_no_penalty(open_page):
    opened = open_page("sections/17_exact_branches.html")
    page = opened.page
    page.wait_for_selector("#live-onset[data-ready] .pp-readout b", timeout=30_000)
    slider = page.locator('#live-onset input[type="range"]')
    slider.focus()
    page.keyboard.press("End")
    assert text(page, "onset").startswith("not learned")
    page.evaluate("pruningPhases.onset.move(0.3)")
    assert "There is a deeper minimum" in text(page, "onset")
    page.keyboard.press("Home")
    assert text(page, "onset").startswith("learned")
    page.locator("#live-onset select").select_option("2")
    page.evaluate("pruningPhases.onset.move(1); pruningPhases.onset.move(0.5)")
    assert text(page, "onset").startswith("learned")
    assert opened.errors == []


# The mask of a pruned network, on its own page


def test_the_mask_follows_its_slider_by_keyboard_on_a_phone(open_page):
    one = open_page("sections/14_magnitude_pruning.html", size=PHONE)
    page = one.page
    page.wait_for_selector("#live-mask[data-ready] .pp-readout b", timeout=30_000)
    before = text(page, "mask")
    page.locator("#live-mask input[type=range]").focus()
    page.keyboard.press("End")
    after = text(page, "mask")
    left = page.evaluate("pruningPhases.maskFigure.data.curves.edges.at(-1)")
    assert after != before
    assert after.startswith(f"{left} connections")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert one.errors == []


# The plane at a temperature, on the page of overconfidence


def test_the_temperature_follows_its_slider_and_the_plane_the_keyboard(open_page):
    opened = open_page("sections/21_overconfidence.html", size=PHONE)
    page = opened.page
    page.wait_for_selector("#live-temperature[data-ready] .pp-readout b", timeout=30_000)
    before = text(page, "temperature")
    page.locator('#live-temperature input[type="range"]').focus()
    page.keyboard.press("End")
    settle(page)
    hot = text(page, "temperature")
    assert before.startswith("T = 1:")
    assert hot.startswith("T = 256:")
    page.locator('#live-temperature [data-plot="map"]').focus()
    page.keyboard.press("ArrowUp")
    settle(page)
    assert text(page, "temperature") != hot
    page.locator("#live-temperature select").first.select_option("fitted")
    settle(page)
    assert text(page, "temperature").startswith("fitted T")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("pruningPhases.states.temperature.read().t") == "fitted"
    page.evaluate("pruningPhases.states.temperature.write({ t: '4', p_train: '0.11', p_eval: '0.8', colour: 'none' })")
    assert text(page, "temperature").startswith("T = 4:")
    assert page.evaluate("pruningPhases.states.temperature.read().colour") == "alpha"
    assert opened.errors == []


# State, picture, full size, other pages


def test_a_link_opens_a_figure_in_its_state(open_page, live):
    page = live(size={"width": 1300, "height": 900}).page
    page.locator("#live-collapse select").nth(0).select_option("1")
    page.locator("#live-collapse select").nth(1).select_option("algebraic")
    slide(page, SLIDERS["first"], 0.5)
    slide(page, SLIDERS["nu"], 0.4)
    page.locator('#live-collapse button:has-text("link to this state")').click()
    assert page.url.endswith("#live-collapse")
    asked = page.url.rpartition("12_play.html")[2]
    state, chi2 = page.evaluate("[pruningPhases.collapse.state, pruningPhases.collapse.chi2()]")
    again = open_page(PAGE + asked).page
    drawn(again)
    assert again.evaluate("pruningPhases.collapse.chi2()") == pytest.approx(chi2, rel=1e-3)
    assert again.evaluate("pruningPhases.collapse.state.first") == state["first"]
    assert again.evaluate("pruningPhases.collapse.state.ansatz") == "algebraic"
    again.evaluate("pruningPhases.states.phase.write({ p_train: '0.21', p_eval: 'x', colour: 'none' })")
    assert again.evaluate("pruningPhases.states.phase.read().p_train") == pytest.approx(0.2, abs=0.05)
    assert again.evaluate("pruningPhases.states.phase.read().colour") == "phase"  # what is impossible is passed over
    again.evaluate("pruningPhases.states.digit.write({ network: '1', p_eval: '0.7', digit: '5' })")
    settle(again)
    said = again.evaluate("pruningPhases.states.digit.read()")
    assert (said["network"], said["p_eval"], said["digit"]) == (1, 0.7, 5)
    again.emulate_media(reduced_motion="reduce")
    again.locator('#live-collapse button:has-text("watch it collapse")').click()
    assert again.evaluate("pruningPhases.collapse.state.atBest")


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_saved_as_a_picture(live, kind):
    page = live().page
    with page.expect_download() as saved:
        page.locator(f'#live-{kind} button:has-text("save picture")').click()
    picture = saved.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
    assert saved.value.suggested_filename == f"{kind}.png"


def test_a_figure_fills_the_screen_of_a_phone_and_goes_back(live):
    page = live(size=PHONE).page
    button = page.locator("#live-phase .pp-tools button").first
    button.tap()
    box = page.locator("#live-phase").bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, PHONE["width"])
    page.keyboard.press("Escape")
    assert page.locator("#live-phase").bounding_box()["y"] != 0
    assert button.inner_text() == "full size"


def test_the_front_page_opens_its_figure_live(open_page):
    opened = open_page("intro.html")
    link = opened.page.locator("a.live-link")
    assert opened.page.locator("iframe").count() == 0
    link.click()
    frame = opened.page.frame_locator("iframe.live-here")
    frame.locator("#live-phase[data-ready] .pp-readout b").wait_for()
    assert frame.locator("#live-phase").bounding_box()["y"] >= link.bounding_box()["y"]
    opened.page.wait_for_function("document.querySelector('iframe.live-here').style.height")
    link.click()
    assert opened.page.locator("iframe").count() == 0
    assert link.inner_text() == "Make this figure live"
    assert opened.errors == []


def test_the_explorer_opens_in_the_argument_where_a_reader_comes_to_it(open_page):
    opened = open_page("sections/03_bkt_collapse.html")
    page = opened.page
    assert page.locator("iframe").count() == 0
    page.locator("a.live-link").scroll_into_view_if_needed()
    frame = page.frame_locator("iframe.live-here")
    frame.locator("#live-collapse[data-ready] .pp-readout b").first.wait_for()
    assert "here" in frame.locator('[data-readout="collapse"]').inner_text()
    page.locator("a.live-link").click()
    assert page.locator("iframe").count() == 0
    assert opened.errors == []
    small = open_page("sections/03_bkt_collapse.html", size=PHONE).page
    small.locator("a.live-link").scroll_into_view_if_needed()
    settle(small)
    assert small.locator("iframe").count() == 0


# The plane as it develops, on its own page


def test_the_epoch_follows_slider_play_and_address_on_a_phone(open_page):
    one = open_page("sections/25_epoch_as_time.html", size=PHONE)
    page = one.page
    page.wait_for_selector("#live-epoch[data-ready] .pp-readout b", timeout=30_000)
    epochs = page.evaluate("pruningPhases.epochFigure.data.epochs")
    assert text(page, "epoch").startswith(f"Epoch {epochs[-1]}.")
    page.locator("#live-epoch input[type=range]").first.focus()
    page.keyboard.press("Home")
    assert text(page, "epoch").startswith(f"Epoch {epochs[0]}.")
    page.get_by_role("button", name="play").click()
    page.wait_for_function(f"pruningPhases.epochFigure.state.epoch === {len(epochs) - 1}", timeout=60_000)
    page.get_by_role("button", name="play").wait_for(timeout=5_000)
    page.evaluate("pruningPhases.states.epoch.write({ epoch: '15', p_eval: '0.5' })")
    assert page.evaluate("pruningPhases.states.epoch.read()") == {"epoch": 16, "p_eval": 0.5}
    assert text(page, "epoch").startswith("Epoch 16.")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert one.errors == []
