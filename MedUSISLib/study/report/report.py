"""report.html: what a study found, in one file that needs nothing else and names nobody.

Readers appear by their pseudonyms, cases not at all. It holds the truth, so it says that it is not for readers.
"""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.analysis.results import StudyResults, headline
from MedUSISLib.study.report import shared_parts
from MedUSISLib.study.report.figures import page_pictures
from MedUSISLib.study.report.lesion_parts import lesion_sections
from MedUSISLib.study.report.turing_parts import turing_sections
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.report_page import Html

REPORT_NAME = "report.html"
CAUTION = "RESULTS OF A READER STUDY - not for readers who are not done"

_KINDS = {
    "single": "Visual Turing test",
    "forced-choice": "Visual Turing test, forced choice",
    "crossed": "Lesion reading, fully crossed",
    "sequential": "Lesion reading, sequential",
    "crossover": "Lesion reading, crossover",
}


def write_report(results: StudyResults, folder: str | Path) -> Path:
    """Write ``report.html`` into a folder, whole or not at all.

    Parameters
    ----------
    results : StudyResults
    folder : str or Path
        Made when it is not there.

    Returns
    -------
    Path
        The file: UTF-8, figures inside, no script, nothing loaded from elsewhere.

    Raises
    ------
    MedUSISError
        DISK_FULL, or BAD_SETTING when the folder cannot be written to.
    """
    path = Path(folder) / REPORT_NAME
    html = report_html(results)
    with atomic_path(path) as half:
        half.write_text(html, encoding="utf-8", newline="\n")
    return path


def report_html(results: StudyResults) -> str:
    """The report as a string."""
    complete = sum(reader.complete for reader in results.readers)
    title, pictures = results.title or results.study, page_pictures(results)
    parts: list[Html | None] = [
        Html(
            f"<header><h1>{page.text(title)}</h1><p>{_KINDS[results.design]} · study {page.text(results.study)} · "
            f"{complete} of {len(results.readers)} readers done</p></header>"
        ),
        _verdict(results),
        *turing_sections(results, pictures),
        *lesion_sections(results, pictures),
        shared_parts.readers(results),
        shared_parts.agreement(results.agreement, pictures),
        shared_parts.times(results, pictures),
        shared_parts.closing(results.closing),
        shared_parts.leaks(results),
        shared_parts.methods_section(results),
        Html("<footer>Made by MedUSIS.</footer>"),
    ]
    return page.document(f"MedUSIS study {results.study}", CAUTION, [part for part in parts if part is not None])


def _verdict(results: StudyResults) -> Html:
    """The main result in words, and whether it is the whole study."""
    whole = all(reader.complete for reader in results.readers)
    leaking = any(one.severity == "leak" for one in results.leak_check.findings)
    sentence = headline(results)
    notes = []
    if not whole:
        notes.append(
            "Not all readers are done: this is an interim result. Looking at it before the end and deciding by it when "
            "to stop makes its p-values too small."
        )
    if leaking:
        notes.append("The check finds that real and synthetic can be told apart without the picture: see Blinding.")
    return page.section(
        "Main result",
        page.paragraph(sentence[0].upper() + sentence[1:] + ("" if sentence.endswith(".") else ".")),
        *(page.paragraph(note) for note in notes),
        kind=f"verdict {'worry' if leaking else '' if whole else 'look'}",
    )
