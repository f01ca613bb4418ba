"""What the build of the book adds to notebooks and text: the line under each figure, the provenance page, the PDF.

`extension` is the Sphinx extension with the lines of `figures`, `provenance` writes a page, `pdf` prints the book, `browser`
finds the browser that `pdf` and the tests in ``tests/browser`` drive. `make html` and `make pdf` run what is needed.
"""

from pruning_phases_book.provenance import Run, duration, read_run, read_runs, write_provenance_page
