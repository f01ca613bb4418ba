"""`python -m pruning_phases.book pages`: what the build needs beside executed notebooks; `... pdf`: print the built book."""

from __future__ import annotations

import sys

from pruning_phases.book.provenance import record_drawings, write_provenance_page
from pruning_phases.config import ConfigError


def main(arguments: list[str]) -> None:
    """Do what the one argument says."""
    if arguments == ["pages"]:
        record_drawings()
        write_provenance_page()
    elif arguments == ["pdf"]:
        from pruning_phases.book.pdf import print_book

        print(f"The book is ready: {print_book()}")
    else:
        raise SystemExit("usage: python -m pruning_phases.book pages|pdf")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error
