"""The table of the summary: each synthetic MR with its picture, what is remarkable about it, and its main figures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from MedUSISLib.batch.folder import CASES_NAME
from MedUSISLib.batch.report_thumbnail import report_thumbnail
from MedUSISLib.batch.results import REPORT_FILE, CaseResult
from MedUSISLib.batch.states import CaseState
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.quality_guide import BODY_DICE, MASK_DICE, RESEGMENTATION, Level
from MedUSISLib.synthesis.report_page import Html

_MOST_PICTURES = 300
_MOST_FLAGS = 3
STYLE = """
td.case { white-space: nowrap; } td.case b { display: block; font-size: 14.5px; } td.shot { width: 260px; }
td.shot img { display: block; width: 250px; height: auto; background: #0d1117; border-radius: 6px; }
td.figures { white-space: nowrap; font-size: 13px; }
td ul { margin: 0; padding: 0; list-style: none; } td li { padding: 1px 0; } td .soft, .soft { color: var(--soft); }
td .badge { margin-bottom: 3px; } .whole { white-space: nowrap; } a { color: #0b5fce; }
"""
"""Beside that of every page."""


def table_of_results(results: Sequence[CaseResult], folder: Path) -> Html | None:
    """The section with the cases that are done; None when there is none.

    Parameters
    ----------
    results : sequence of CaseResult
        In the order of the table; others are passed over.
    folder : Path
        Of the batch; the pictures come from its reports.
    """
    done = [one for one in results if one.row.state is CaseState.DONE]
    if not done:
        return None
    rows = "".join(_line(one, folder, number < _MOST_PICTURES) for number, one in enumerate(done))
    head = "<tr><th>Case</th><th>CT above synthetic MR</th><th>What is remarkable</th><th>Figures</th></tr>"
    return page.section(
        "Synthetic MRs, the most remarkable first",
        page.paragraph(
            "First those with the generator's review flag (unlike what it was trained on), then by what their reports "
            "say. Limits and meanings stand in each report.",
            "note",
        ),
        Html(f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'),
    )


def _line(result: CaseResult, folder: Path, with_picture: bool) -> str:
    name = result.row.name
    target = f"{CASES_NAME}/{name}/{REPORT_FILE}"
    title = page.link(target, name) if result.report else page.text(name)
    review = '<div class="soft">review flag</div>' if result.review else ""
    jpeg = report_thumbnail(folder / target) if with_picture and result.report else None
    shot = '<span class="soft">no picture</span>'
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode("ascii")
        picture = (
            f'<img loading="lazy" alt="{escape(name)}: CT above synthetic MR" src="data:image/jpeg;base64,{data}">'
        )
        shot = f'<a href="{escape(target)}">{picture}</a>'
    return (
        f'<tr><td class="case"><b>{title}</b>{page.badge(result.verdict.value)}{review}</td>'
        f'<td class="shot">{shot}</td><td>{_flags(result)}</td><td class="figures">{_figures(result)}</td></tr>'
    )


def _flags(result: CaseResult) -> str:
    if not result.quality:
        return "quality.json is missing or damaged: run the case again"
    told = [flag for flag in result.flags if flag.get("level") in (Level.WORRY.value, Level.LOOK.value)]
    if not told:
        return '<span class="soft">nothing</span>'
    items = [f"<li>{page.text(_first_sentence(str(flag.get('message', ''))))}</li>" for flag in told[:_MOST_FLAGS]]
    if len(told) > _MOST_FLAGS:
        items.append(f'<li class="soft">and {len(told) - _MOST_FLAGS} more in its report</li>')
    return f"<ul>{''.join(items)}</ul>"


def _first_sentence(message: str) -> str:
    """Of a flag: what was measured; what it may mean stands in the report.

    Examples
    --------
    >>> _first_sentence("Body outline, distance: 12.0 mm. Above 5 mm: a local defect.")
    'Body outline, distance: 12.0 mm.'
    """
    end = message.find(". ")
    return message if end < 0 else message[: end + 1]


def _figures(result: CaseResult) -> str:
    items = [
        f"<li>{page.text(measure.title)}: {page.text(measure.text(value))}</li>"
        for measure in (BODY_DICE, MASK_DICE, RESEGMENTATION)
        if (value := measure.value(result.quality)) is not None
    ]
    if (beyond := result.beyond_bound) is not None:
        items.append(f"<li>Uncertainty: {beyond:.2f} x the bound</li>")
    if result.row.seconds is not None:
        items.append(f'<li class="soft">{result.row.seconds:.0f} s</li>')
    return f"<ul>{''.join(items)}</ul>"
