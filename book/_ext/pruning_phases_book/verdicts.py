"""The table of verdicts for a page of the book: HTML for browsers, LaTeX for print, plain text for everything else."""

import re
from html import escape

import pandas as pd

from pruning_phases.claims.table import ALL
from pruning_phases.claims.text import CHANGED, TOPICS, as_text, both_counts, interval
from pruning_phases.plotting.protocols import VERDICT_STYLES

PAGES = {
    "01_phase_diagram": "phase diagram",
    "02_linecuts": "line cuts",
    "03_bkt_collapse": "BKT-like collapse",
    "04_algebraic_collapse": "algebraic collapse",
    "05_accuracy_binder": "accuracy",
    "06_width_depth": "widths and depths",
}
WORDS_AND_BORDERS = {
    "reproduced": "color:#ffffff;border:1px solid #0b4f6c",
    "not reproduced": "color:#000000;border:1px solid #f2a65a",
    "undecided": "color:#000000;border:1px dashed #555555",
    "no fit": "color:#000000;border:1px dotted #555555",
}
"""Of the badges, whose fills and marks are those of figures."""
LATEX = str.maketrans({
    "α": r"$\alpha$", "χ": r"$\chi$", "ν": r"$\nu$", "⟨": r"$\langle$", "⟩": r"$\rangle$", "≤": r"$\leq$", "≥": r"$\geq$",
    "≈": r"$\approx$", "−": "$-$", "²": "$^2$", "₀": "$_0$", "_": r"\_", "%": r"\%", "∞": r"$\infty$", "–": "--", "×": r"$\times$",
    "†": r"$^\dagger$",
})  # fmt: skip


def bundle(table: pd.DataFrame) -> dict[str, str]:
    """The table of `claims.judge` by MIME type, for ``IPython.display.display(bundle(table), raw=True)``."""
    return {"text/html": as_html(table), "text/latex": as_latex(table), "text/plain": as_text(table)}


def _html(text: str) -> str:
    """Escaped, with the indices of p_c, p_train, p_eval, χ²_ν and ν_BKT set as such."""
    return re.sub(r"\b(p|χ²|ν)_(\w+)", r"\1<sub>\2</sub>", escape(text))


def _label(row: pd.Series, scope: str) -> str:
    """Verdict of one scope as a badge, with its number and interval below."""
    verdict = row[f"verdict{scope}"]
    fill, mark = VERDICT_STYLES[verdict]
    style = f"background:{fill};{WORDS_AND_BORDERS[verdict]};border-radius:4px;padding:0.15em 0.5em;white-space:nowrap"
    badge = f'<span style="{style}">{mark} {verdict}</span>'
    value = interval(row, scope)
    return badge if value == "–" else f"{badge}<br>{value.replace(' (', '<br>(')}"


def as_html(table: pd.DataFrame) -> str:
    """The table of `judge` for the book: claims by topic; each unfolds to its statistic, rule, reason and findings.

    The page of the figure is linked as a neighbour of the page that shows the table.
    """
    cell = "text-align:left;vertical-align:top;padding:0.35em 0.6em;white-space:normal"
    names = ("Claim", "In the scaling regime", "Over all N")
    head = "".join(f'<th scope="col" style="{cell}">{name}</th>' for name in names)
    rows, topic = [], None
    for _, row in table.iterrows():
        if TOPICS.get(row["section"]) != topic:
            topic = TOPICS.get(row["section"])
            title = topic.removeprefix("the ").capitalize()
            rows.append(f'<tr><th scope="colgroup" colspan="3" style="{cell};padding-top:1em">{title}</th></tr>')
        parts = {
            "Number": row["statistic"],
            "Rule": f"{row['rule']}. {row['reason']}",
            f"Rule changed {CHANGED}": row["changed"],
            "Found in the regime": row["finding"],
            "Found over all N": row["finding_all"],
            "In the paper": f"section {row['section']}",
        }
        details = "".join(
            f'<p style="margin:0.3em 0 0 1em"><b>{name}.</b> {_html(text)}</p>' for name, text in parts.items() if text
        )
        summary = _html(row["words"]) + (f" {CHANGED}" if row["changed"] else "")
        claim = f'<details id="claim-{row["claim"]}"><summary>{summary}</summary>{details}</details>'
        link = f'<a href="{row["figure"]}.html">{PAGES[row["figure"]]}</a>'
        cells = (claim, _label(row, ""), f"{_label(row, ALL)}<br>{link}")
        rows.append("<tr>" + "".join(f'<td style="{cell}">{text}</td>' for text in cells) + "</tr>")
    return (
        '<table class="verdicts" style="width:100%;border-collapse:collapse">'
        f"<caption>{both_counts(table)} Open a claim for its rule and reason.</caption>"
        '<colgroup><col style="width:54%"/><col style="width:23%"/><col/></colgroup>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def as_latex(table: pd.DataFrame) -> str:
    """The table of `judge` for print: claim, number with interval and rule in the regime, both verdicts."""
    columns = r"p{0.38\linewidth}p{0.16\linewidth}p{0.12\linewidth}p{0.13\linewidth}p{0.13\linewidth}"
    head = r"\hline Claim & Number & Rule & Scaling regime & All $N$ \\ \hline\endhead"
    lines = [rf"\begin{{longtable}}{{{columns}}}", head]
    for _, row in table.iterrows():
        words = row["words"] + (f" {CHANGED}" if row["changed"] else "")
        cells = (words, interval(row), row["rule"], row["verdict"], row["verdict_all"])
        lines.append(" & ".join(cells).translate(LATEX) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{longtable}"])
