"""A study from a table of cases: blinded images, the truth, and every reader's order - all at once or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress
from MedUSISLib.study.case_table import CaseRow, read_case_table
from MedUSISLib.study.earlier_answers import put_aside
from MedUSISLib.study.key import KEY_NAME
from MedUSISLib.study.leaks import check_study
from MedUSISLib.study.protocol import PROTOCOL_NAME, Protocol
from MedUSISLib.study.record import StudyRecord, with_acceptances, write_record
from MedUSISLib.study.trial_writing import TrialWriter, wrong
from MedUSISLib.study.versioned import to_json


@dataclass(frozen=True)
class NewStudy:
    """What was made, in numbers."""

    cases: int
    images: int
    trials: int
    lesions: int
    remarks: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """For a result event and for people."""
        return {**self.__dict__, "remarks": list(self.remarks)}


def new_study(
    table: str | Path,
    protocol: Protocol,
    out: str | Path,
    overwrite: bool = False,
    secret: str | None = None,
    progress: Progress | None = None,
    accept: Sequence[str] = (),
    reason: str = "",
) -> NewStudy:
    """Make a study's folder from a table of cases.

    Parameters
    ----------
    table : str or Path
        CSV, see ``case_table.read_case_table``.
    protocol : Protocol
    out : str or Path
        The study's folder; appears when everything is done and no leak was found.
    overwrite : bool
        Also where a study is, or other files: its key is lost with it, and every package and answer that needs it.
        Merged answers in the folder get another name (``earlier_answers``).
    secret : str, optional
        From the key of an earlier study, to make the same names and orders again; random when not given.
    progress : Progress, optional
    accept : sequence of str
        Codes of leaks that are accepted, for ``reason``; both go into the study's record.
    reason : str

    Returns
    -------
    NewStudy

    Raises
    ------
    MedUSISError
        BAD_SETTING for a table that does not fit the protocol, a study that leaks, or a folder that holds a study
        already; what reading images raises.
    """
    progress = progress or Progress()
    if not overwrite and (Path(out).expanduser() / KEY_NAME).exists():
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the folder holds a study; its key would be lost, and every package and answer that needs it",
            "give a new folder, or allow to overwrite it when nobody has read it",
            path=out,
        )
    rows = read_case_table(table)
    _check_rows(rows, protocol)
    given, secret = secret is not None, secret or secrets.token_hex(32)
    with atomic_output_directory(out, overwrite) as folder:
        builder = TrialWriter(protocol, rows, folder, secret, progress)
        key = builder.build()
        (folder / PROTOCOL_NAME).write_text(to_json(protocol), encoding="utf-8", newline="\n")
        key_path = folder / KEY_NAME
        key_path.touch(mode=0o600)
        key_path.write_text(to_json(key), encoding="utf-8", newline="\n")
        progress.stage("check for leaks")
        report = check_study(folder, progress=progress)
        record = StudyRecord()
        if accept:
            record = with_acceptances(record, report.findings, accept, reason)
        # Written in any case: a record of an earlier study in this folder must not hold for this one.
        write_record(folder, record)
        if accept:
            report = check_study(folder)
        report.raise_if_leaking()
    if not given:  # with the secret of an earlier study, answers to it may be answers to this one
        builder.remarks += filter(None, [put_aside(Path(out).expanduser())])
    return NewStudy(
        cases=len(key.cases),
        images=len(key.images),
        trials=len(key.trials),
        lesions=sum(len(case.lesions) for case in key.cases),
        remarks=(*builder.remarks, *(f"{finding.title}: {finding.what}" for finding in report.findings)),
    )


def _check_rows(rows: Sequence[CaseRow], protocol: Protocol) -> None:
    for row in rows:
        arms = _arms_of(row, protocol)
        every = protocol.design != "single"
        if not arms or (every and len(arms) < len(protocol.arms)):
            need = "the images of every arm" if every else "a real or a synthetic image"
            raise wrong(row, f"lacks an image: this design needs {need} of each case")
        if protocol.kind == "lesion-reading" and not row.training and row.status is None and row.lesions is None:
            raise wrong(row, "has neither a lesion mask nor a status, so that no answer could be right or wrong")
    read = [row for row in rows if not row.training]
    if not read:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the table of cases has nothing but training", "add cases")
    for number, arm in enumerate(protocol.arms):
        if not any(number in _arms_of(row, protocol) for row in read):
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"no case has an image for the arm '{arm.id}'", "add cases, or correct the table"
            )


def _arms_of(row: CaseRow, protocol: Protocol) -> tuple[int, ...]:
    return tuple(n for n, arm in enumerate(protocol.arms) if all(role in row.images for role in arm.panels))
