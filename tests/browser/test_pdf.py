"""The printed book: every chapter and figure is in it, and the contents name the right pages."""

import re
import subprocess
import sys
import unicodedata

import pypdf
import pytest
from filelock import FileLock

from pruning_phases.notebooks import REPOSITORY
from pruning_phases_book.pdf import PDF

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def pages(browser, worker_id, tmp_path_factory) -> list[str]:
    """Text of each page. Printed once for all test processes, by one of its own: Playwright runs once in each."""
    shared = tmp_path_factory.getbasetemp().parent if worker_id != "master" else tmp_path_factory.getbasetemp()
    with FileLock(shared / "pdf.lock"):
        if not (shared / "printed").exists():
            command = [sys.executable, "-m", "pruning_phases_book", "pdf"]
            process = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
            assert process.returncode == 0, process.stderr
            (shared / "printed").touch()
    # NFKC: some fonts have one sign for fl
    return [unicodedata.normalize("NFKC", " ".join(page.extract_text().split())) for page in pypdf.PdfReader(PDF).pages]


def test_contents_name_the_page_of_every_chapter(pages):
    first = next(k for k, page in enumerate(pages) if page.startswith("The claim."))
    contents = " ".join(page.removesuffix(f" {k}").removeprefix("Contents") for k, page in enumerate(pages[:first], 1))
    entries = re.findall(r"([^\d]+?) (\d+)(?= |$)", contents.partition("Contents")[2])
    numbers = [int(number) for _, number in entries]
    assert len(numbers) > 15
    assert numbers == sorted(numbers)
    for title, number in entries:
        words = title.split()  # the first chapter of a part has the caption of the part before its title
        titles = [" ".join(words[k:]) for k in range(len(words))]
        page = pages[int(number) - 1]
        if title == entries[-1][0]:  # in the text of the references their labels come before the title
            page = page[page.find(words[-1]) :]
        assert page.startswith(tuple(titles)), f"{title} is not on page {number}"


def test_every_figure_is_printed_with_its_caption(pages):
    single = next((REPOSITORY / "_build" / "single").rglob("intro.html")).read_text(encoding="utf-8")
    numbers = {int(n) for n in re.findall(r'class="caption-number">Fig\. (\d+)', single)}
    assert numbers == set(range(1, len(numbers) + 1))
    text = " ".join(pages)
    assert [n for n in sorted(numbers) if f"Fig. {n} " not in text] == []
    assert text.count("run again:") == len(numbers)


def test_no_page_is_empty(pages):
    assert [k for k, page in enumerate(pages, 1) if len(page) < 20] == []


def test_links_lead_into_the_pdf_or_to_the_web(pages):
    targets = [
        str(annotation["/A"]["/URI"])
        for page in pypdf.PdfReader(PDF).pages
        for annotation in (one.get_object() for one in page.get("/Annots", []))
        if "/URI" in annotation.get("/A", {})
    ]
    assert targets  # those of the references
    assert [target for target in targets if not target.startswith(("http://", "https://"))] == []
