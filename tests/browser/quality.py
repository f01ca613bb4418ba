"""What every page of the built book asks of its readers, measured once in each view and kept as one table, build/pages.csv."""

import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
from filelock import FileLock
from offline import HTML, Opened

from pruning_phases.notebooks import REPOSITORY

TABLE = REPOSITORY / "build" / "pages.csv"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
STOPS = """() => [...document.querySelectorAll("main :is(a[href], button, input, select, textarea, summary, iframe, [tabindex])")]
    .filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({ visibilityProperty: true })).length"""

SETTLED = """Promise.allSettled(document.getAnimations().filter((one) => one.effect.target.checkVisibility()).map((one) => one.finished))"""
"""Colours on their way to others are neither; what lies in closed code does not move before it is opened."""


@lru_cache
def _anchors(page: Path) -> frozenset[str]:
    return frozenset(re.findall(r'\b(?:id|name)="([^"]+)"', page.read_text(encoding="utf-8")))


def broken_links(page) -> list[str]:
    """Links of the opened page into the book that lead nowhere: no such file, or no such place in it."""
    broken = []
    for link in set(page.evaluate("[...document.links].map((a) => a.href)")):
        address = urlsplit(link)
        target = Path(unquote(address.path))
        if address.scheme == "file" and (
            not target.exists()
            or (address.fragment and target.suffix == ".html" and unquote(address.fragment) not in _anchors(target))
        ):
            broken.append(link.removeprefix(HTML.as_uri()))
    return broken


def measure(opened: Opened, view: str) -> dict[str, object]:
    """The page as it is now: MB, texts without contrast (WCAG 2 AA), stops of the tab key in the text, broken links, pixels too wide."""
    page = opened.page
    page.evaluate(SETTLED)
    return {
        "view": view,
        "megabytes": opened.weight(),
        "poor contrast": page.evaluate(CONTRAST),
        "tab stops": page.evaluate(STOPS),
        "broken links": broken_links(page),
        "too wide": page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)"),
    }


def record(name: str, views: list[dict[str, object]]) -> None:
    """Put the views of a page into the table, in place of earlier ones; lists are counted."""
    rows = pd.DataFrame([{"page": name} | view for view in views])
    rows = rows.map(lambda value: len(value) if isinstance(value, list) else value)
    TABLE.parent.mkdir(exist_ok=True)
    with FileLock(TABLE.with_suffix(".lock")):
        others = pd.read_csv(TABLE) if TABLE.exists() else rows[:0]
        table = pd.concat([others[others["page"] != name], rows]).sort_values(["page", "view"], kind="stable")
        table.round({"megabytes": 2}).to_csv(TABLE, index=False)
