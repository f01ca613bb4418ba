"""Finds a Chromium browser and opens it, cut off from every network."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pruning_phases.config import ConfigError
from pruning_phases.paths import expanded

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


class NoBrowser(ConfigError):
    """There is no Chromium on this machine."""


def find_browser() -> str:
    """Path of a Chromium: the one named by the environment variable BROWSER_PATH, the system's, or Playwright's own.

    Raises NoBrowser if there is none, or BROWSER_PATH names no file.
    """
    if named := os.environ.get("BROWSER_PATH"):
        if not expanded(named).is_file():
            raise NoBrowser(f"BROWSER_PATH = {named!r} is no file: name a Chromium or Chrome program")
        return str(expanded(named))
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            found = playwright.chromium.executable_path
        if not Path(found).is_file():
            raise NoBrowser(
                "no Chromium found: `make browser` installs one, or set BROWSER_PATH to a Chromium or Chrome program"
            )
    return found


@contextlib.contextmanager
def open_browser() -> Iterator[object]:
    """A headless Playwright browser without network, closed at the end. Raises NoBrowser if there is none, or it does not start."""
    from playwright.sync_api import Error, sync_playwright

    path = find_browser()
    # Chromium refuses to run as root with its sandbox; the pages it opens here are our own.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=path, args=[*FLAGS, *(["--no-sandbox"] if root else [])]
            )
        except Error as error:
            raise NoBrowser(f"{path} does not start: {error.message.splitlines()[0]}") from error
        try:
            yield browser
        finally:
            browser.close()
