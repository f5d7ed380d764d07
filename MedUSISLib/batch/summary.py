"""summary.html: what became of a batch, what to look at first, and what was left out - on one page without a name.

Cases are called case-0001 and so on; who they are says ``key.csv`` alone. The pictures are those of the reports, small.
"""

from __future__ import annotations

import base64
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path

from MedUSISLib import __version__
from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.dicom_headers import counted
from MedUSISLib.batch.folder import CASES_NAME, SUMMARY_NAME
from MedUSISLib.batch.found_text import problem_counts
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.report_thumbnail import report_thumbnail
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.results import REPORT_FILE, CaseResult, read_results
from MedUSISLib.batch.states import CaseRow, CaseState
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.quality_guide import BODY_DICE, MASK_DICE, RESEGMENTATION, Level
from MedUSISLib.synthesis.report_page import Html
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE
from MedUSISLib.training.duration import duration_text

_MOST_PICTURES = 300
_MOST_FLAGS = 3
_STYLE = """
td.case { white-space: nowrap; } td.case b { display: block; font-size: 14.5px; } td.shot { width: 260px; }
td.shot img { display: block; width: 250px; height: auto; background: #0d1117; border-radius: 6px; }
td.figures { white-space: nowrap; font-size: 13px; }
td ul { margin: 0; padding: 0; list-style: none; } td li { padding: 1px 0; } td .soft, .soft { color: var(--soft); }
td .badge { margin-bottom: 3px; } a { color: #0b5fce; }
"""


def write_summary(folder: Path) -> None:
    """Write ``summary.html`` into the folder of a batch, whole or not at all; may be called while it goes on.

    Raises
    ------
    MedUSISError
        As `Manifest.open`; DISK_FULL.
    """
    with Manifest.open(folder, read_only=True) as manifest:
        request, problems = manifest.request, manifest.problems()
    html = summary_html(read_results(folder), request, problems, folder)
    with atomic_path(folder / SUMMARY_NAME, ".html") as half:
        half.write_text(html, encoding="utf-8")


def summary_html(
    results: Sequence[CaseResult], request: BatchRequest, problems: Sequence[CaseProblem], folder: Path
) -> str:
    """The page.

    Parameters
    ----------
    results : sequence of CaseResult
        In the order of the table.
    request : BatchRequest
    problems : sequence of CaseProblem
        What the input held that became no case; only counted.
    folder : Path
        Where the pictures are taken from.
    """
    body = [
        Html(f"<style>{_STYLE}</style>"),
        _head(results, request),
        _verdict(results),
        _counts(results),
        _done(results, folder),
        _not_done(results),
        _left_out(problems),
        _warnings(results),
        Html(
            "<footer>Made by MedUSIS. The pictures show computed images, not measurements. Figures of all cases: "
            f"{page.link('quality.csv', 'quality.csv')}. Which case is which patient says key.csv alone.</footer>"
        ),
    ]
    return page.document("MedUSIS batch", SYNTHETIC_NOTICE, [str(part) for part in body if part is not None])


def _head(results: Sequence[CaseResult], request: BatchRequest) -> Html:
    generator = request.generator
    plain = Path(generator).name == generator and not Path(generator).suffix
    facts = [
        counted(len(results), "case"),
        f"generator {generator if plain else 'from a folder'}",
        f"{request.passes} pass{'es' * (request.passes != 1)}",
        f"seed {request.seed}",
        f"medusis {__version__}",
    ]
    return Html(f"<header><h1>Synthetic MR from many CTs</h1><p>{page.text(' · '.join(facts))}</p></header>")


def _verdict(results: Sequence[CaseResult]) -> Html:
    """One box that says what to do now."""
    done = [one for one in results if one.row.state is CaseState.DONE]
    levels = Counter(one.verdict for one in done)
    failed = sum(one.row.state is CaseState.FAILED for one in results)
    going_on = sum(not one.row.state.ended for one in results)
    sentences = [f"{len(done)} of {counted(len(results), 'synthetic MR')} {'is' if len(done) == 1 else 'are'} done."]
    if levels[Level.WORRY]:
        sentences.append(
            f"Review {_these(levels[Level.WORRY])} before any use: something is far outside the usual range."
        )
    if levels[Level.LOOK]:
        sentences.append(f"Have a look at {_these(levels[Level.LOOK])}: something is outside the usual range.")
    if levels[Level.UNKNOWN]:
        sentences.append(f"Of {_these(levels[Level.UNKNOWN])} no figures can be read.")
    if done and not levels[Level.WORRY] + levels[Level.LOOK] + levels[Level.UNKNOWN]:
        sentences.append("Nothing remarkable was found. That is no proof: invented anatomy can be consistent.")
    if failed:
        sentences.append(f"{counted(failed, 'case')} failed; the reasons stand below.")
    if going_on:
        sentences.append(
            f"{counted(going_on, 'case')} {'is' if going_on == 1 else 'are'} not finished: start the same batch again, "
            "and it goes on."
        )
    kind = "worry" if levels[Level.WORRY] or failed else "look" if levels[Level.LOOK] + going_on else "ok"
    title = {"worry": "Some results need a person", "look": "Have a look", "ok": "Nothing remarkable"}[kind]
    return page.section(title, *[page.paragraph(sentence) for sentence in sentences], kind=f"verdict {kind}")


def _these(count: int) -> str:
    return "one of them" if count == 1 else f"{count} of them"


def _counts(results: Sequence[CaseResult]) -> Html:
    states = Counter(one.row.state for one in results)
    done = [one for one in results if one.row.state is CaseState.DONE]
    waiting = sum(count for state, count in states.items() if not state.ended)
    items: list[tuple[object, str]] = [
        (len(done), "done"),
        (sum(one.review is True for one in done), "flagged for review"),
        (sum(one.verdict is Level.WORRY for one in done), "worrying"),
        (sum(one.verdict is Level.LOOK for one in done), "to look at"),
        (sum(one.verdict is Level.OK for one in done), "unremarkable"),
        (states[CaseState.FAILED], "failed"),
        (states[CaseState.SKIPPED], "skipped"),
        *([(waiting, "not finished")] if waiting else []),
    ]
    return page.section("Cases", page.tiles(items), page.paragraph(_times([one.row for one in results]), "note"))


def _times(rows: Sequence[CaseRow]) -> str:
    """How long it took; waiting for a computer that was switched off in between counts, too."""
    seconds = [row.seconds for row in rows if row.seconds is not None and row.state is CaseState.DONE]
    if not seconds:
        return "No case is done yet, so there are no times."
    began = [row.started for row in rows if row.started is not None]
    ended = [row.ended for row in rows if row.ended is not None]
    workers = len({row.worker for row in rows if row.worker})
    parts = [f"One case takes {statistics.median(seconds):.0f} s (median; {min(seconds):.0f} to {max(seconds):.0f} s)"]
    if began and ended and max(ended) > min(began):
        whole = (max(ended) - min(began)).total_seconds()
        parts.append(f"{duration_text(whole)} from the first start to the last end")
    if workers:
        parts.append(f"{counted(workers, 'worker')} took part")
    return "; ".join(parts) + "."


def _done(results: Sequence[CaseResult], folder: Path) -> Html | None:
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


def _not_done(results: Sequence[CaseResult]) -> Html | None:
    """Failed and skipped cases by their reason."""
    by_reason: dict[tuple[str, str, str, str], list[CaseRow]] = defaultdict(list)
    for one in results:
        row = one.row
        if row.state in (CaseState.FAILED, CaseState.SKIPPED):
            by_reason[row.state.value, row.code, row.message, row.hint].append(row)
    if not by_reason:
        return None
    lines = [
        (", ".join(row.name for row in rows), state, code, message, hint)
        for (state, code, message, hint), rows in sorted(
            by_reason.items(), key=lambda pair: (pair[0][0], -len(pair[1]))
        )
    ]
    head = ("Cases", "", "Code", "What happened", "What to do")
    again = "Failed cases are tried again with --retry-failed."
    return page.section("Not done, and why", page.table(head, lines), page.paragraph(again, "note"))


def _left_out(problems: Sequence[CaseProblem]) -> Html | None:
    if not problems:
        return None
    rows = [(words, code, count) for code, words, count in problem_counts(tuple(problems))]
    return page.section(
        "In the input, but no case of its own",
        page.table(("What", "Code", "How many"), rows, numbers=(2,)),
        page.paragraph("Where they lie says problems.csv, on this machine only.", "note"),
    )


def _warnings(results: Sequence[CaseResult]) -> Html | None:
    """How many cases have which warning; their words stand in the reports, where paths are taken out of them."""
    cases: dict[str, set[int]] = defaultdict(set)
    for one in results:
        for warning in one.quality.get("warnings") or []:
            if isinstance(warning, dict):
                cases[str(warning.get("code", ""))].add(one.row.number)
    if not cases:
        return None
    rows = [
        (code.replace("_", " ").lower(), code, len(cases[code]))
        for code in sorted(cases, key=lambda code: (-len(cases[code]), code))
    ]
    return page.section("Warnings", page.table(("What", "Code", "Cases"), rows, numbers=(2,)))
