"""What the build of the book needs beside notebooks.

python -m pruning_phases_book pages               # into book/sections: drawings, downloads, the page of provenance
python -m pruning_phases_book drawings FOLDER     # Fig. 1 and the headline figure
python -m pruning_phases_book pdf                 # print the book
python -m pruning_phases_book browser             # say which browser prints it
python -m pruning_phases_book networks [--out F]  # train the networks of the third live figure again
"""

import argparse
from collections.abc import Sequence

from pruning_phases.paths import expanded
from pruning_phases.terminal import program, run


def _do(options: argparse.Namespace) -> None:
    """Do what is asked; each imports only what it needs."""
    if options.what == "pages":
        from pruning_phases_book.downloads import write_archive, write_pictures
        from pruning_phases_book.provenance import record_drawings, write_provenance_page

        record_drawings()
        write_pictures()
        write_provenance_page(source=write_archive())
    elif options.what == "drawings":
        from pruning_phases_book.drawings import draw

        draw(options.folder)
    elif options.what == "pdf":
        from pruning_phases_book.pdf import print_book

        print(f"The book is ready: {print_book()}")
    elif options.what == "browser":
        from pruning_phases_book.browser import find_browser, open_browser

        with open_browser() as browser:
            print(f"{find_browser()}, version {browser.version}")
    else:
        from pruning_phases_book.live.networks import FILE, remake

        print(remake(options.out or FILE))


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first argument says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pruning_phases_book", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="what", metavar="WHAT")
    made = {name: commands.add_parser(name) for name in ("pages", "drawings", "pdf", "browser", "networks")}
    made["drawings"].add_argument("folder", type=expanded, help="to draw into")
    made["networks"].add_argument(
        "--out", type=expanded, help="default: data/live_networks.npz; an earlier one is renamed"
    )
    options = parser.parse_args(arguments)
    return run(lambda: _do(options), "pruning_phases_book")


if __name__ == "__main__":
    program(main)
