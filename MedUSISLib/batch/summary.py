"""summary.html: what became of a batch, what to look at first, and what was left out - on one page without a name.

Cases are called case-0001 and so on; who they are says ``key.csv`` alone. The pictures are those of the reports, small.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from MedUSISLib import __version__
from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.dicom_headers import counted
from MedUSISLib.batch.folder import SUMMARY_NAME
from MedUSISLib.batch.found_text import problem_counts
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.results import CaseResult, read_results
from MedUSISLib.batch.states import CaseRow, CaseState
from MedUSISLib.batch.summary_table import STYLE, table_of_results
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.quality_guide import Level
from MedUSISLib.synthesis.report_page import Html
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE
from MedUSISLib.training.duration import duration_text


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
        Html(f"<style>{STYLE}</style>"),
        _head(results, request),
        _verdict(results),
        _counts(results),
        table_of_results(results, folder),
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
    skipped = sum(one.row.state is CaseState.SKIPPED for one in results)
    going_on = sum(not one.row.state.ended for one in results)
    sentences = [f"{len(done)} of {counted(len(results), 'synthetic MR')} {_is(len(done))} done."]
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
    if skipped:
        sentences.append(f"{counted(skipped, 'case')} {_was(skipped)} skipped; the reasons stand below.")
    if going_on:
        sentences.append(
            f"{counted(going_on, 'case')} {_is(going_on)} not finished: the batch goes on, or has to be started again."
        )
    kind, title = _title(levels, failed, skipped + going_on, bool(done))
    return page.section(title, *[page.paragraph(sentence) for sentence in sentences], kind=f"verdict {kind}")


def _title(levels: Counter[Level], failed: int, not_done: int, any_done: bool) -> tuple[str, str]:
    """Colour and heading of the box."""
    if levels[Level.WORRY] or failed:
        return "worry", "Some cases need a person"
    if levels[Level.LOOK] + levels[Level.UNKNOWN]:
        return "look", "Have a look"
    if not_done:
        return "look", "Not all cases are done" if any_done else "No case is done yet"
    return "ok", "Nothing remarkable"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


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
        (_unbroken(rows), state, code, message, hint)
        for (state, code, message, hint), rows in sorted(
            by_reason.items(), key=lambda pair: (pair[0][0], -len(pair[1]))
        )
    ]
    head = ("Cases", "", "Code", "What happened", "What to do")
    again = "Failed cases are tried again with --retry-failed."
    return page.section("Not done, and why", page.table(head, lines), page.paragraph(again, "note"))


def _unbroken(rows: Sequence[CaseRow]) -> Html:
    """Names of cases in a row that breaks between them only."""
    return Html(", ".join(f'<span class="whole">{page.text(row.name)}</span>' for row in rows))


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
        warnings = one.quality.get("warnings")
        for warning in warnings if isinstance(warnings, list) else []:
            if isinstance(warning, dict):
                cases[str(warning.get("code", ""))].add(one.row.number)
    if not cases:
        return None
    rows = [
        (code.replace("_", " ").lower(), code, len(cases[code]))
        for code in sorted(cases, key=lambda code: (-len(cases[code]), code))
    ]
    return page.section("Warnings", page.table(("What", "Code", "Cases"), rows, numbers=(2,)))
