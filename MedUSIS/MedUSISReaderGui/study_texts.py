"""What the administrator's pages say."""

from __future__ import annotations

from pathlib import Path

from MedUSISGui.rich_text import escaped
from slicer.i18n import tr as _

__all__ = ["FIGURES", "analysed", "checked", "escaped", "kinds", "made", "merged", "packed"]

FIGURES = ("readers", "roc", "froc", "afroc", "differences-jafroc", "differences-auc", "agreement")
"""Those that the page shows; the report has all."""


def kinds() -> list[tuple[str, str]]:
    """The usual protocols with their titles."""
    return [
        ("visual-turing", _("Real or synthetic? One image")),
        ("forced-choice", _("Which of two is real?")),
        ("lesion-reading", _("Lesions: every case with and without")),
        ("lesion-sequential", _("Lesions: without, then with the aid")),
        ("lesion-crossover", _("Lesions: two sessions, weeks apart")),
    ]


def made(summary, table: Path) -> str:
    """After a study was made."""
    text = _(
        "The study is ready: {cases} cases, {images} images, {trials} trials, {lesions} lesions. No leak was found."
    )
    keep = _("Its cases are listed in {table}: the only way back to the patients. The key stays with you.")
    next_step = _("Look at the preview, then build the packages.")
    return _paragraphs(text.format(**summary), keep.format(table=table.name), next_step)


def checked(summary) -> str:
    """After looking for leaks: each finding with its remedy."""
    count = summary["leaks"]
    head = _("No leak was found.") if not count else _("This study leaks; no package is built from it.")
    parts = [f"<p><b>{escaped(head)}</b></p>"]
    titles = {"leak": _("Leak"), "accepted": _("Accepted"), "remark": _("Remark")}
    for one in summary["findings"]:
        title = f"{titles[one['kind']]}: {one['title']}"
        parts.append(f"<p><b>{escaped(title)}</b><br>{escaped(one['what'])}<br><i>{escaped(one['remedy'])}</i></p>")
    return "".join(parts)


def packed(summary) -> str:
    """After the packages were built."""
    text = _("{count} packages are in {folder}: {names}.").format(
        count=len(summary["packages"]), folder=summary["folder"], names=", ".join(summary["packages"])
    )
    return _paragraphs(text, _("Give each reader his file and his name. They hold no key and no truth."))


def merged(result) -> str:
    """After answers came back."""
    if result.complete:
        return _paragraphs(_("Every reader has answered everything."))
    return _paragraphs(_("Some answers are missing. The study can be analysed as it is; the report says so."))


def analysed(summary, pictures) -> str:
    """The headline and the figures.

    Parameters
    ----------
    summary : mapping
        Of the job.
    pictures : sequence of Path
        As large as they are to be shown.
    """
    text = _("{complete} of {readers} readers are complete, {answers} answers.").format(
        complete=summary["complete_readers"], readers=summary["readers"], answers=summary["answers"]
    )
    parts = [f"<p><b>{escaped(summary['headline'])}</b></p>", f"<p>{escaped(text)}</p>"]
    parts += [f'<p><img src="{picture.as_uri()}"></p>' for picture in pictures]
    return "".join(parts)


def _paragraphs(*texts: str) -> str:
    return "".join(f"<p>{escaped(text)}</p>" for text in texts)
