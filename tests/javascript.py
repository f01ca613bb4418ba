"""Runs the book's scripts outside a page, for comparison with Python: in Node where there is one, else in the system's Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from pruning_phases.notebooks import REPOSITORY

LIVE = REPOSITORY / "book" / "assets" / "live"


def evaluate(script: str, body: str, data: object) -> object:
    """Value of ``body``, the body of a function of ``data`` that sees ``pruningPhases`` as ``script`` (of book/assets/live) leaves it.

    Skips the test where neither Node nor Chromium is found.
    """
    source = (LIVE / script).read_text(encoding="utf-8")
    function = f"(data) => {{ const live = pruningPhases; {body} }}"
    if node := shutil.which("node"):
        program = f"{source};\nconst data = {json.dumps(data)};\nconsole.log(JSON.stringify(({function})(data)));"
        return json.loads(_run_node(node, program))
    from pruning_phases_book.browser import NoBrowser, open_browser

    try:
        with open_browser() as browser:
            page = browser.new_page()
            page.evaluate(source)
            return page.evaluate(function, data)
    except NoBrowser as error:
        pytest.skip(f"scripts need Node or a browser: {error}")


def _run_node(node: str, program: str) -> str:
    done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
