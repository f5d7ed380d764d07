"""What was found, in words for the terminal of the person who owns the data: it names files and goes nowhere else."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases
from MedUSISLib.batch.dicom_headers import counted
from MedUSISLib.batch.problems import PROBLEMS
from MedUSISLib.printable import printable

_KINDS = {
    "table": "a table of cases",
    "bids": "a BIDS dataset",
    "dicom": "a DICOM tree",
    "files": "a tree of image files",
}
_PLACES = 10


def found_text(found: FoundCases, source: Path, most_places: int = _PLACES) -> str:
    """Cases and problems, line by line.

    Parameters
    ----------
    found : FoundCases
    source : Path
        The input, to shorten paths.
    most_places : int
        How many places of each kind of problem are listed; the others are counted.
    """
    lines = [f"{_KINDS[found.kind]}: {counted(len(found.cases), 'case')}{_without(found)}", ""]
    width = len(str(len(found.cases)))
    root = source.resolve() if source.is_dir() else source.resolve().parent
    for number, case in enumerate(found.cases, start=1):
        lines.append(f"{number:>{width}}  {case.key}  <-  {segmentation_text(case, root)}")
    for code, problems in by_code(found.problems).items():
        lines += ["", *_told(code, problems, most_places)]
    return "\n".join(map(printable, lines))


def problem_counts(problems: tuple[CaseProblem, ...]) -> list[tuple[str, str, int]]:
    """Code, sentence and number of each kind of problem, the gravest first; nothing in it names a file."""
    return [
        (code, PROBLEMS[code].title if code in PROBLEMS else code, len(found))
        for code, found in by_code(problems).items()
    ]


def _without(found: FoundCases) -> str:
    without = found.without_segmentation
    return f", {without} of them without a segmentation" if without else ""


def segmentation_text(case: BatchCase, root: Path) -> str:
    """Where the segmentation of a case lies (below ``root`` where it does), and what its labels mean if it is known."""
    if case.segmentation is None:
        return "no segmentation"
    path = case.segmentation
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    labels = f" ({Path(case.labels).name})" if case.labels else ""
    return name.encode("utf-8", "backslashreplace").decode("utf-8") + ("/" if path.is_dir() else "") + labels


def by_code(problems: tuple[CaseProblem, ...]) -> dict[str, list[CaseProblem]]:
    """Problems of each kind, the gravest kind first."""
    found: dict[str, list[CaseProblem]] = defaultdict(list)
    for one in problems:
        found[one.code].append(one)
    order = {code: number for number, code in enumerate(PROBLEMS)}
    return {code: found[code] for code in sorted(found, key=lambda code: (order.get(code, len(order)), code))}


def _told(code: str, problems: list[CaseProblem], most: int) -> list[str]:
    title = PROBLEMS[code].title if code in PROBLEMS else code
    lines = [f"{len(problems)} {title} ({code})", f"    what to do: {problems[0].remedy}"]
    lines += [f"    {one.where}: {one.what}" for one in problems[:most]]
    if len(problems) > most:
        lines.append(f"    and {len(problems) - most} more")
    return lines
