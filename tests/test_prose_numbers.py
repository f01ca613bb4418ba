"""Numbers in prose are glued from notebooks, not typed; a typed one must be of a kind that no result can change."""

import functools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pruning_phases.collapse.fit import CONTOUR_LEVEL
from pruning_phases.config import N_SIZES, Training

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "book").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What is not prose, taken out before numbers are looked for. A role that cites leaves a mark: see the kind "literature".
CITED = "\N{REFERENCE MARK}"
NOT_PROSE = (
    (r"^```\w+\n.*?^```", ""),  # blocks of code (directives such as ```{figure} stay)
    (r"^\$\$.*?^\$\$[^\n]*", ""),  # displayed equations: constants of the theory
    (r"\{cite:\w\}`[^`]*`", CITED),
    (r"\{[\w:]+\}`[^`]*`", ""),  # glue and references
    (r"`[^`\n]*`", ""),  # inline code
    (r"\]\([^)\s]*\)", "]"),  # addresses of links
    (r"^\([\w-]+\)=$", ""),  # labels
    (r"^:[\w-]+:[^\n]*$", ""),  # options of directives
    (r"\$\\l?n ?10\$|\\ln ?10", "ln"),  # the loss of guessing among ten classes
)
SPACES = " \u00a0\u2009\u202f"
NUMBER = re.compile(rf"(?<![\w.,^_-])[-−]?\d+(?:(?:[{SPACES}]|\\,)\d{{3}}(?!\d))*(?:\.\d+)?(?!\w)(?:[{SPACES}]?[%×])?")

# Kinds of numbers that may be typed: a pattern on the number, marked «», in its surroundings.
KINDS = {
    "a count up to ten, an exponent, a simple fraction": r"«[-−]?(?:[0-9]|10)»(?! ?(?:s|min|h|ms|kB|GB|MB)\b)(?!\.\d)",
    "a size fixed by the data or the standard network": r"«(?:28|784|255|100|10 ?000|60 ?000)»",
    "a level of a statistical convention": r"«(?:5|68|95) %»|«0\.(?:68|95)»|«1\.3(?: ×)?»",
    "the number of an equation or figure of the paper": r"(?:Eqs?|Figs?)\.[^.]*«\d+»",
    "from the literature, in the sentence that cites it": rf"{CITED}(?:[^.]|\.\d)*«[^»]*»|«[^»]*»(?:[^.]|\.\d)*{CITED}",
    "a version of Python": r"Python «3\.\d+»",
}
# Numbers of a set-up may be typed where the code that sets them up is named here and holds the same number.
SET_UP = {
    "protocol.md": [
        "src/pruning_phases/config/protocol.py",
        "src/pruning_phases/config/presets.py",
        "src/pruning_phases/datasets/__init__.py",
        "src/pruning_phases/experiments/magnitude.py",
        "src/pruning_phases/observables/scaling.py",
    ],
    "magnitude.md": [
        "src/pruning_phases/experiments/magnitude.py",
        "src/pruning_phases/claims/studies/magnitude/chains.py",
    ],
    "14_magnitude_pruning.ipynb": ["src/pruning_phases/claims/studies/magnitude/chains.py"],
    "onset.md": ["src/pruning_phases/claims/studies/weight_decay/chains.py"],
    "scaling_out.md": ["src/pruning_phases/runs/executors.py", "src/pruning_phases/runs/verification.py"],
    "09_method_check.ipynb": [
        "src/pruning_phases/calibration/coverage.py",
        "src/pruning_phases/calibration/known_systems.py",
        "src/pruning_phases/calibration/synthetic.py",
    ],
    "10_performance.ipynb": ["tests/benchmarks/bench_training.py", "tests/benchmarks/peers.py"],
}
# Worked examples of the theory: arithmetic on what the text itself assumes (found in it) and on what the code is set to, done again here.
ASSUMED_L0 = re.compile(r"l_0\^\\ast=(\d+)")
LOGS = np.log(N_SIZES)
MIDDLE, HALF = (LOGS[-1] + LOGS[0]) / 2, (LOGS[-1] - LOGS[0]) / 2
STEPS = -(-N_SIZES[-1] // Training().batch_size)
# Page → number as it is written → the same, computed from the text
EXAMPLES = {
    "finite_size_scaling.md": {
        "500": lambda text: N_SIZES[0],
        "50 000": lambda text: N_SIZES[-1],
        "8.5": lambda text: MIDDLE,
        "2.3": lambda text: HALF,
        "2 %": lambda text: 100 * HALF**2 / (4 * MIDDLE**2),
        "0.55": lambda text: 1 - math.log(int(ASSUMED_L0.search(text)[1])) / LOGS.mean(),
        "30 %": lambda text: 100 * (CONTOUR_LEVEL - 1),
        "0.3": lambda text: CONTOUR_LEVEL - 1,
    },
    "protocol.md": {"500": lambda text: N_SIZES[0], "50 000": lambda text: N_SIZES[-1], "391": lambda text: STEPS},
    "model.md": {"500": lambda text: N_SIZES[0], "1000": lambda text: N_SIZES[1]},
}
GLUED = re.compile(r"\{glue:\w+\}`(?:sections/([\w-]+)\.ipynb::)?(\w+)(?::([^`]+))?`")


def without_what_is_not_prose(text: str) -> str:
    """Text without code, addresses, roles and displayed equations."""
    for pattern, mark in NOT_PROSE:
        text = re.sub(pattern, mark, text, flags=re.MULTILINE | re.DOTALL)
    return text


def number(text: str) -> str:
    """A number as it is compared: no spaces between digits, no unit."""
    return re.sub(rf"[{SPACES}\\,%×_]", "", text)


def set_up_numbers(name: str) -> set[str]:
    code = "\n".join((ROOT / path).read_text(encoding="utf-8") for path in SET_UP.get(name, []))
    return {number(literal) for literal in re.findall(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?:e-?\d+)?(?!\w)", code)}


def command_numbers(text: str) -> set[str]:
    """Numbers in the blocks of code of a page, which its prose may explain."""
    return set(re.findall(r"\d+", "\n".join(re.findall(r"^```\w+\n.*?^```", text, flags=re.MULTILINE | re.DOTALL))))


def typed_numbers(text: str, name: str = "") -> Iterator[str]:
    """Numbers of no allowed kind, each with its surroundings."""
    plain = without_what_is_not_prose(text)
    allowed = set_up_numbers(name) | command_numbers(text) | {number(value) for value in EXAMPLES.get(name, {})}
    allowed |= set(ASSUMED_L0.findall(text)) if name in EXAMPLES else set()
    for match in NUMBER.finditer(plain):
        before, after = plain[max(0, match.start() - 200) : match.start()], plain[match.end() : match.end() + 200]
        context = f"{before}«{match[0]}»{after}".replace("\n", " ")
        context = re.sub(r"(?<=\d)[\u00a0\u2009\u202f]|(?<=\d)\\,", " ", context)
        if number(match[0]) not in allowed and not any(re.search(kind, context) for kind in KINDS.values()):
            yield context[max(0, context.index("«") - 50) : context.index("»") + 50]


@functools.cache
def cells_of(path: Path) -> list[dict]:
    """The cells of a notebook, read once: with their outputs they have megabytes."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text) in a page, or in the markdown cells, captions and alternative texts of a notebook."""
    if path.suffix == ".md":
        yield "", path.read_text(encoding="utf-8")
        return
    for position, cell in enumerate(cells_of(path)):
        if cell["cell_type"] == "markdown":
            yield f"cell {position}", "".join(cell["source"])
        figure = cell["metadata"].get("mystnb", {})
        for text in (figure.get("figure", {}).get("caption"), figure.get("image", {}).get("alt")):
            if text:
                yield f"figure of cell {position}", text


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.name)
def test_no_number_is_typed(path):
    typed = [f"{place}: …{found}…" for place, text in texts(path) for found in typed_numbers(text, path.name)]
    assert not typed, "glue it from a notebook; the kinds that may be typed are listed above"


@pytest.mark.parametrize(("page", "value"), [(page, value) for page, values in EXAMPLES.items() for value in values])
def test_worked_examples_are_right(page, value):
    text = (ROOT / "book" / page).read_text(encoding="utf-8")
    plain = re.sub(rf"(?<=\d)[{SPACES}]", " ", without_what_is_not_prose(text))
    assert re.search(rf"(?<![\d.]){re.escape(value)}(?![\d])", plain), "no longer in the text"
    decimals = len(number(value).partition(".")[2])
    assert round(EXAMPLES[page][value](text), decimals) == float(number(value))


@functools.cache
def stored_records(path: Path) -> dict[str, str]:
    """What a notebook's stored outputs glue, by name, as text."""
    found = {}
    for cell in cells_of(path):
        for output in cell.get("outputs", []):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                data = {kind.rpartition("record/")[2]: value for kind, value in output["data"].items()}
                found[name] = "".join(data.get("text/markdown", data.get("text/plain", "")))
    return found


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.name)
def test_every_glued_number_is_stored_and_fits_its_format(path):
    """A key that no notebook glues, or that is no finite number, would stand in the text as such."""
    wrong = []
    for place, text in texts(path):
        for source, key, form in GLUED.findall(text):
            records = stored_records(ROOT / "notebooks" / (f"{source}.ipynb" if source else path.name))
            value = records.get(key, "").strip("'")
            if key not in records or not value:
                wrong.append(f"{place}: {key} is not glued")
            elif form.endswith(("f", "g", "e", "d")):
                value = float(re.sub(r"^np\.\w+\((.*)\)$", r"\1", value))
                wrong += [] if math.isfinite(value) else [f"{place}: {key} = {value}"]
    assert not wrong


MANY = 5
"""Numbers that an answer may hold; the rest belongs into a table."""
ONE = r"[-−+]?\d(?:[\d,\u2009\u202f ]*\d)?(?:\.\d+)?(?:e-?\d+)?(?: ?%)?"
ONE_NUMBER = re.compile(
    rf"(?<![\w.,^_{{-]){ONE}(?: ± {ONE}| of {ONE}| (?:to|and) {ONE})?(?: \([^()]*?{ONE} to {ONE}\))?"
)


def answer(path: Path) -> str:
    """The answer of a notebook as it is read, from its first words to the end of the paragraph; "" without one."""
    first = "".join(cells_of(path)[0]["source"])
    records = stored_records(path)

    def pasted(match: re.Match[str]) -> str:
        value, form = records[match[2]].strip("'"), match[3] or ""
        return format(float(value), form) if form.endswith(("f", "g", "e", "d")) else value

    return GLUED.sub(pasted, first.partition("**Answer.**")[2].strip().partition("\n\n")[0])


def numbers_in(text: str) -> list[str]:
    """Numbers of a text, each with its error, its interval or what it is a part of; those of formulas and links left out."""
    return ONE_NUMBER.findall(re.sub(r"\$[^$]*[A-Za-z][^$]*\$", "", without_what_is_not_prose(text)))


def test_a_number_is_counted_with_its_error_and_its_interval():
    text = "moves by 0.3 ± 0.1 in 6 of 7, by -0.1 (-0.2 to 0.05) in [](05_a.ipynb), from 0.2 to 0.3 at 64 000"
    assert len(numbers_in(text)) == 5
    assert numbers_in("$L\\propto N^2$ for 90 %") == ["90 %"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_answer_has_few_numbers(path):
    assert answer(path), "a page answers its question in its first cell"
    assert len(numbers_in(answer(path))) <= MANY, answer(path)


@pytest.mark.parametrize(
    "text",
    [
        "The loss fell to 0.31.",
        "It took 7 ms a file.",
        "We find $\\nu = 1.7$ here.",
        "About 42 % of the points",
        "in 300 networks",
        "trained 12\u202f500 networks",
        "$\\alpha=-0.20$ was found",
        "The literature has 0.5 {cite:p}`A2000`. We find 0.6.",
    ],
)
def test_typed_results_are_found(text):
    assert len(list(typed_numbers(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{glue:text}`x:.2f` of 10 classes",
        "on $28\\times28$ pixels, 10\u202f000 of them, loss $\\ln10$",
        "see Eqs. 14–17 of the paper and `n = 12.5`",
        "```bash\nsleep 512\n```\nwaits 512 s",
        "the 68 % interval with $\\chi^2_\\nu$ and $\\nu=1/2$",
        "$T_c=0.893$ {cite:p}`Hasenbusch2005`",
        "$$\nx = 3.14\n$$ (eq-x)",
    ],
)
def test_what_may_be_typed_passes(text):
    assert not list(typed_numbers(text))
