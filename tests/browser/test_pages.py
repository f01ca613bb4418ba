"""Every page of the built book in a real browser without network: no errors, fits a phone, readable in the dark, light enough.

Each page is opened once, which takes most of the time, and looked at in the light, on a phone, and after the dark has come.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import yaml
from browser.conftest import PHONE, WIDE
from PIL import Image
from quality import CONTRAST, SETTLED, measure, record

from pruning_phases.notebooks import REPOSITORY

pytestmark = pytest.mark.book

CONTENTS = yaml.safe_load((REPOSITORY / "book" / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [CONTENTS["root"], *(chapter["file"] for part in CONTENTS["parts"] for chapter in part["chapters"])]
MB = {CONTENTS["root"]: 3.0, "sections/12_play": 5.0}
"""What the front page and the one with live figures may weigh; every other page, 4 MB: figures drawn as vectors."""

WIDER = """() => [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((e) => `${e.tagName}.${e.className}`)"""
THEME = "document.documentElement.dataset.theme"
FIGURES = """() => [...document.querySelectorAll("main figure")].map((f) => [
    f.id, f.querySelector("figcaption")?.innerText ?? "", f.querySelector(".figure-line")?.innerText ?? ""])"""


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_offline_without_errors_fits_a_phone_and_is_readable_also_in_the_dark(open_page, name):
    opened = open_page(f"{name}.html")
    page = opened.page
    images = page.evaluate(
        "[...document.querySelectorAll('main img')].map((i) => [i.src.split('/').pop(), i.alt, i.naturalWidth])"
    )
    assert [image for image in images if not image[1] or not image[2]] == [], (
        "an image without alternative text, or not loaded"
    )
    for figure, caption, line in page.evaluate(FIGURES):
        assert len(caption.split()) > 15, f"{figure}: a caption that cannot be read alone: {caption!r}"
        assert "run again:" in line, figure
    assert page.locator("mjx-merror").count() == 0

    views, wider = [measure(opened, "1300 px")], {"1300 px": page.evaluate(WIDER)}
    page.set_viewport_size(PHONE)
    views.append(measure(opened, "390 px"))
    wider["390 px"] = page.evaluate(WIDER)
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function(f"{THEME} === 'dark'")
    views.append(measure(opened, "dark"))
    record(name, views)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")  # the code, too
    page.evaluate(SETTLED)
    assert page.evaluate(CONTRAST) == []
    for view in views:
        assert view["megabytes"] < MB.get(name, 4.0), view
        assert view["poor contrast"] == [], view
        assert view["broken links"] == [], view
        assert view["too wide"] == 0, wider.get(view["view"], view)
        assert view["tab stops"] <= 100, view
    assert opened.elsewhere == []
    assert opened.errors == []


def test_page_opened_in_the_dark_is_dark_and_readable_and_its_figures_follow_the_page(open_page, tmp_path):
    page = open_page("sections/01_phase_diagram.html", dark=True).page
    assert page.evaluate(THEME) == "dark"
    assert page.evaluate(CONTRAST) == []

    def colors() -> set[tuple[int, ...]]:
        path = tmp_path / "figure.png"
        page.locator("#fig-phase-diagram img").screenshot(path=path)
        return {color for count, color in Image.open(path).convert("RGB").getcolors(1 << 24) if count > 100}

    dark = colors()
    assert (18, 18, 18) in dark  # the page
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    light = colors()
    assert (18, 18, 18) not in light
    assert {(31, 78, 140), (245, 174, 69)} <= dark & light  # blue and orange of the phases


def test_contrast_check_sees_poor_contrast(browser):
    page = browser.new_page()
    page.set_content(
        "<body style='background:#fff'><p style='color:#999'>grey</p><p style='color:#666'>dark</p></body>"
    )
    assert [text for _, text, _ in page.evaluate(CONTRAST)] == ["grey"]
    page.close()


def test_search_finds_pages_offline(open_page):
    opened = open_page("search.html?q=hysteresis")
    found = opened.page.locator("#search-results ul.search li a")
    found.first.wait_for()
    assert {href.partition("?")[0] for href in found.evaluate_all("all => all.map((a) => a.getAttribute('href'))")} >= {
        "related.html"
    }
    assert opened.errors == []
    page = open_page("search.html?q=chi+squared").page
    page.locator("#search-results ul.search li a", has_text="Finite-size scaling").first.wait_for()


def test_link_to_code_opens_it(open_page):
    page = open_page("sections/01_phase_diagram.html").page
    code = page.locator("#code-fig-phase-diagram")
    assert not code.is_visible()
    page.locator("#fig-phase-diagram .figure-line a", has_text="code").click()
    code.wait_for(state="visible")


def test_figures_on_a_phone_enlarge_and_their_data_and_pictures_are_offered(open_page):
    opened = open_page("sections/02_linecuts.html", size=PHONE)
    page, figure = opened.page, opened.page.locator("#fig-linecuts")
    links = dict(figure.locator(".figure-line a").evaluate_all("all => all.map((a) => [a.innerText, a.href])"))
    table = pd.read_csv(unquote(urlsplit(links["data"]).path))
    assert set(table["panel"]) == {"(a)", "(b)"}
    assert Path(unquote(urlsplit(links["PNG"]).path)).read_bytes().startswith(b"\x89PNG")
    figure.locator("img").click()
    large = page.locator("dialog.enlarged img")
    assert large.bounding_box()["width"] > 2 * PHONE["width"]
    page.keyboard.press("Escape")
    large.wait_for(state="detached")
    assert page.locator("mjx-container[tabindex='0']").count() == 0, "formulas are no stops of the tab key"
    assert opened.errors == []


def test_verdicts_on_a_phone_are_cards(open_page):
    page = open_page("sections/07_verdicts.html", size=PHONE).page
    claim, verdict = page.locator("table.verdicts tr:has(details)").first.locator("td").all()[:2]
    assert verdict.bounding_box()["y"] >= claim.bounding_box()["y"] + claim.bounding_box()["height"]
    assert claim.bounding_box()["width"] > 0.7 * PHONE["width"]


def test_page_without_scripts_still_shows_text_and_figures(open_page):
    page = open_page("sections/01_phase_diagram.html", script=False).page
    assert page.locator("#fig-phase-diagram img").is_visible()


def test_printed_page_is_text_and_figures_alone(open_page):
    page = open_page("sections/01_phase_diagram.html").page
    page.emulate_media(media="print")
    for part in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article", ".prev-next-footer"):
        assert page.locator(part).count() == 0 or not page.locator(part).first.is_visible(), part
    assert page.locator("#fig-phase-diagram img").is_visible()
