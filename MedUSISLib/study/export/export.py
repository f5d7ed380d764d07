"""A study's answers in another program's format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.private_folder import private_folder
from MedUSISLib.study.answers import ANSWERS_NAME
from MedUSISLib.study.export.imrmc import write_imrmc
from MedUSISLib.study.export.mrmcaov import write_mrmcaov
from MedUSISLib.study.export.rated import Exported
from MedUSISLib.study.export.rjafroc import write_rjafroc
from MedUSISLib.study.export.table import write_tables
from MedUSISLib.study.key import load_study
from MedUSISLib.study.merging import answer_sources, merge_answers, rows_of_study
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading, readings


class ExportFormat(StrEnum):
    """What can be written."""

    IMRMC = "imrmc"
    MRMCAOV = "mrmcaov"
    RJAFROC = "rjafroc"
    CSV = "csv"


_FILES: dict[ExportFormat, tuple[str, Callable[[Sequence[Reading], Path, Protocol], Exported]]] = {
    ExportFormat.IMRMC: (".imrmc", write_imrmc),
    ExportFormat.MRMCAOV: (".csv", write_mrmcaov),
    ExportFormat.RJAFROC: (".xlsx", write_rjafroc),
}


def export_study(
    study: str | Path,
    answers: Sequence[str | Path],
    format: ExportFormat,
    out: str | Path,
    overwrite: bool = False,
) -> Exported:
    """Write a study's answers.

    Parameters
    ----------
    study : str or Path
        The study's folder.
    answers : sequence
        Files or URLs; empty: the study's own merged answers.
    format : ExportFormat
    out : str or Path
        A file with the suffix of the format (added when there is none); for CSV a folder.
    overwrite : bool
        Replace a file; for CSV: write although the folder holds files that MedUSIS did not write.

    Raises
    ------
    MedUSISError
        BAD_SETTING for a wrong suffix, a file that exists, and as the formats' writers; as ``merge_answers``.
    """
    study, out = Path(study), Path(out)
    protocol, _ = load_study(study)
    with private_folder() as folder:
        merged = folder / ANSWERS_NAME
        merge_answers(study, answer_sources(study, answers), merged)
        found, rows = readings(study, merged), rows_of_study(study, merged)
    if not found:
        raise MedUSISError(ErrorCode.BAD_SETTING, "there are no answers to export", "merge answers of a reader first")
    if format is ExportFormat.CSV:
        with atomic_output_directory(out, overwrite) as half:
            return write_tables(found, half, rows)
    suffix, write = _FILES[format]
    out = out if out.suffix else out.with_suffix(suffix)
    if out.suffix.lower() != suffix or out.is_dir():
        raise MedUSISError(ErrorCode.BAD_SETTING, f"a file of this format is called *{suffix}", "give such a name", out)
    if out.exists() and not overwrite:  # it could be the table of cases, the only way back to the patients
        raise MedUSISError(ErrorCode.BAD_SETTING, "there is such a file", "give another name, or --overwrite", out)
    return write(found, out, protocol)
