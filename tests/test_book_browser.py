"""Which browser is found, and what is said where there is none."""

import shutil
import stat

import pytest

from pruning_phases_book import browser
from pruning_phases_book.browser import NoBrowser, find_browser, open_browser


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "chrome"
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_named_browser_comes_first(program, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", program)
    assert find_browser() == program
    monkeypatch.setenv("BROWSER_PATH", f"{program}-not")
    with pytest.raises(NoBrowser, match=r"BROWSER_PATH = .* is no file"):
        find_browser()


def test_first_of_the_known_names_is_taken(monkeypatch):
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name.startswith("google") else None)
    assert find_browser() == "/bin/google-chrome"


def test_without_a_browser_the_message_says_what_to_do(monkeypatch):
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    # Playwright's own driver looks for files too
    found = browser.Path.is_file
    monkeypatch.setattr(browser.Path, "is_file", lambda path: "chrom" not in path.name and found(path))
    with pytest.raises(NoBrowser, match="`make browser` installs one"):
        find_browser()


def test_browser_that_does_not_start_is_named(program, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", program)
    with pytest.raises(NoBrowser, match="does not start"), open_browser():
        pass
