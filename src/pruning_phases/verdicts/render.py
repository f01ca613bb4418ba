"""The table of verdicts to read: in a browser, in print, in a terminal, by a program."""

from __future__ import annotations

import json
import re
from html import escape

import numpy as np
import pandas as pd

from pruning_phases.verdicts.rules import VERDICTS

TOPICS = {
    "III.1": "Phases",
    "III.2": "Phases",
    "III.3": "The transition",
    "App. A": "The transition",
    "App. B": "The transition",
    "III.4": "Accuracy",
    "III.5": "Other widths and depths",
}
PAGES = {
    "01_phase_diagram": "phase diagram",
    "02_linecuts": "line cuts",
    "03_bkt_collapse": "BKT-like collapse",
    "04_algebraic_collapse": "algebraic collapse",
    "05_accuracy_binder": "accuracy",
    "06_width_depth": "widths and depths",
}
MARKS = {"reproduced": "✓", "not reproduced": "✗", "undecided": "?"}
# Dark, middle and white: the three stay apart without colour, and each has its mark and its word.
STYLES = {
    "reproduced": "background:#0b4f6c;color:#ffffff;border:1px solid #0b4f6c",
    "not reproduced": "background:#f2a65a;color:#000000;border:1px solid #f2a65a",
    "undecided": "background:#ffffff;color:#000000;border:1px dashed #555555",
}
LATEX = {
    "α": r"$\alpha$",
    "χ": r"$\chi$",
    "ν": r"$\nu$",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "−": "$-$",
    "²": "$^2$",
    "₀": "$_0$",
    "_": r"\_",
    "%": r"\%",
    "∞": r"$\infty$",
    "–": "--",
    "×": r"$\times$",
}


def number(value: float) -> str:
    """A number to read: three significant digits, a minus sign, the sign of infinity; a dash for NaN."""
    if np.isnan(value):
        return "–"
    text = f"{value:.3g}" if np.isfinite(value) else "∞" if value > 0 else "-∞"
    if "e" in text:
        text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def interval(row: pd.Series) -> str:
    """Number and interval, or a dash."""
    if np.isnan(row["number"]):
        return "–"
    return f"{number(row['number'])} ({number(row['low'])} to {number(row['high'])})"


def as_json(table: pd.DataFrame) -> str:
    """The table of `judge` as a JSON list of objects; numbers that do not exist, or are infinite, are null."""
    finite = table.replace([np.inf, -np.inf], np.nan)
    return json.dumps(json.loads(finite.to_json(orient="records", double_precision=6)), indent=1, ensure_ascii=False)


def counts(table: pd.DataFrame) -> str:
    """How many claims have which verdict, in words."""
    found = table["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return ", ".join(f"{count} {verdict}" for verdict, count in found.items()) + f", of {len(table)} claims"


def as_text(table: pd.DataFrame) -> str:
    """The table of `judge` to read in a terminal: one line per claim, then the counts."""
    lines = [f"{'claim':<28} {'verdict':<15} {'number (95 % interval)':<32} rule"]
    for _, row in table.iterrows():
        value = row["finding"] if np.isnan(row["number"]) else f"{interval(row):<32} {row['rule']}"
        lines.append(f"{row['claim']:<28} {row['verdict']:<15} {value}")
    return "\n".join([*lines, counts(table)])


def _html(text: str) -> str:
    """Escaped, with the indices of p_c, p_train, p_eval, χ²_ν and ν_BKT set as such."""
    return re.sub(r"\b(p|χ²|ν)_(\w+)", r"\1<sub>\2</sub>", escape(text))


def as_html(table: pd.DataFrame) -> str:
    """The table of `judge` for the book: claims by topic; each unfolds to its statistic, rule, reason and finding.

    The page of the figure is linked as a neighbour of the page that shows the table.
    """
    cell = "text-align:left;vertical-align:top;padding:0.35em 0.6em;white-space:normal"
    head = "".join(
        f'<th scope="col" style="{cell}">{name}</th>' for name in ("Claim", "Number (interval)", "Verdict, figure")
    )
    rows, topic = [], None
    for _, row in table.iterrows():
        if TOPICS.get(row["section"]) != topic:
            topic = TOPICS.get(row["section"])
            rows.append(f'<tr><th scope="colgroup" colspan="3" style="{cell};padding-top:1em">{topic}</th></tr>')
        verdict = row["verdict"]
        details = "".join(
            f'<p style="margin:0.3em 0 0 1em"><b>{name}.</b> {_html(text)}</p>'
            for name, text in (
                ("Number", row["statistic"]),
                ("Rule", f"{row['rule']}. {row['reason']}"),
                ("Found", row["finding"]),
                ("In the paper", f"section {row['section']}"),
            )
        )
        claim = f'<details id="claim-{row["claim"]}"><summary>{_html(row["words"])}</summary>{details}</details>'
        label = (
            f'<span style="{STYLES[verdict]};border-radius:4px;padding:0.15em 0.5em;white-space:nowrap">'
            f"{MARKS[verdict]} {verdict}</span>"
        )
        link = f'<a href="{row["figure"]}.html">{PAGES[row["figure"]]}</a>'
        value = interval(row).replace(" (", "<br>(")
        rows.append(
            "<tr>"
            + "".join(f'<td style="{cell}">{text}</td>' for text in (claim, value, f"{label}<br>{link}"))
            + "</tr>"
        )
    return (
        '<table class="verdicts" style="width:100%;border-collapse:collapse">'
        f"<caption>{counts(table)}. Open a claim for its rule and reason.</caption>"
        '<colgroup><col style="width:58%"/><col style="width:19%"/><col/></colgroup>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def as_latex(table: pd.DataFrame) -> str:
    """The table of `judge` for print: claim, number with interval, rule, verdict."""

    def tex(text: str) -> str:
        return "".join(LATEX.get(character, character) for character in text)

    columns = r"p{0.44\linewidth}p{0.18\linewidth}p{0.12\linewidth}p{0.13\linewidth}"
    lines = [rf"\begin{{longtable}}{{{columns}}}", r"\hline Claim & Number & Rule & Verdict \\ \hline\endhead"]
    for _, row in table.iterrows():
        lines.append(
            " & ".join(tex(text) for text in (row["words"], interval(row), row["rule"], row["verdict"])) + r" \\"
        )
    return "\n".join([*lines, r"\hline", r"\end{longtable}"])
