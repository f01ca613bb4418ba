"""`python -m pruning_phases.book pages`: what the build needs beside notebooks; `pdf`: print the book; `browser`: find the browser."""

from __future__ import annotations

import sys

from pruning_phases.book.browser import NoBrowser, find_browser, open_browser
from pruning_phases.book.provenance import record_drawings, write_provenance_page
from pruning_phases.config import ConfigError
from pruning_phases.terminal import run


def main(arguments: list[str]) -> None:
    """Do what the one argument says."""
    if arguments == ["pages"]:
        record_drawings()
        write_provenance_page()
    elif arguments == ["pdf"]:
        from pruning_phases.book.pdf import print_book

        print(f"The book is ready: {print_book()}")
    elif arguments == ["browser"]:
        with open_browser() as browser:
            print(f"{find_browser()}, version {browser.version}")
    else:
        raise SystemExit("usage: python -m pruning_phases.book pages|pdf|browser")


if __name__ == "__main__":
    try:
        run(lambda: main(sys.argv[1:]))
    except (ConfigError, NoBrowser) as error:
        raise SystemExit(f"error: {error}") from error
