"""Answers of all readers in one store: only what belongs to the study, whole, unchanged and without contradiction."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.private_folder import private_folder
from MedUSISLib.study.answers import ANSWERS_NAME, AnswerStore, Row, check_chain
from MedUSISLib.study.key import Key, load_study
from MedUSISLib.study.package import package_of
from MedUSISLib.study.protocol import Protocol

_EARLIER = "the file that answers are merged into"


@dataclass(frozen=True)
class ReaderState:
    """How far a reader is: stages answered, of how many, corrections, and whether the closing form is there."""

    reader: str
    answered: int
    expected: int
    corrections: int
    closed: bool


@dataclass(frozen=True)
class Merged:
    """What is in the store now, for every reader of the protocol."""

    readers: tuple[ReaderState, ...]

    @property
    def complete(self) -> bool:
        """Whether every reader answered everything."""
        return all(state.answered == state.expected for state in self.readers)

    def summary(self) -> dict[str, object]:
        """As plain values, for JSON."""
        return {"complete": self.complete, "readers": [dict(state.__dict__) for state in self.readers]}


def merge_answers(study: str | Path, sources: Sequence[str | Path], out: str | Path) -> Merged:
    """Put the answers of several files together.

    A file that continues another one of the same reader (a copy made earlier) is no contradiction; the longer one
    counts. Merging again, also into the same ``out``, changes nothing.

    Parameters
    ----------
    study : str or Path
        The study's folder with its key.
    sources : sequence
        Files of answers, or URLs of databases.
    out : str or Path
        File or URL. What it holds already is merged, too; a file is replaced all at once.

    Raises
    ------
    MedUSISError
        BAD_SETTING for answers to another study or package, or two different sets of answers of a reader;
        INPUT_NOT_READABLE for a damaged file or one that was changed outside MedUSIS.
    """
    protocol, key = load_study(study)
    if not sources:
        raise MedUSISError(ErrorCode.BAD_SETTING, "there are no answers to merge", "give at least one file of answers")
    is_url = "://" in str(out)
    before = [out] if is_url or Path(out).is_file() else []
    chains: dict[str, list[Row]] = {}
    roles = [f"file {number} of the answers" for number in range(1, len(sources) + 1)]
    for source, role in zip([*sources, *before], [*roles, *([_EARLIER] if before else [])], strict=True):
        for reader, rows in _chains(source, protocol, key, role).items():
            chains[reader] = _longer(chains.get(reader, []), rows)
    if is_url:
        with AnswerStore(out) as store:
            present = {row.hash for row in store.rows()}
            store.insert([row for rows in chains.values() for row in rows if row.hash not in present])
    else:
        with atomic_path(out, ".sqlite") as half, AnswerStore(half) as store:
            store.insert([row for reader in sorted(chains) for row in chains[reader]])
    return Merged(tuple(_state(reader, chains.get(reader, []), key) for reader in protocol.readers))


def answer_sources(study: str | Path, given: Sequence[str | Path] | str | Path) -> list[str | Path]:
    """Files or URLs of answers that were given, or the study's own merged ones when none was.

    Raises
    ------
    MedUSISError
        BAD_SETTING when there are neither.
    """
    if given:
        return [given] if isinstance(given, (str, Path)) else list(given)
    own = Path(study) / ANSWERS_NAME
    if not own.is_file():
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the study has no merged answers",
            "give files of answers, or merge them with `medusis study merge` first",
        )
    return [own]


def rows_of_study(study: str | Path, source: str | Path) -> list[Row]:
    """All rows of a store that belong to a study, checked as for merging."""
    protocol, key = load_study(study)
    return [row for rows in _chains(source, protocol, key, "the file of the answers").values() for row in rows]


def _chains(source: str | Path, protocol: Protocol, key: Key, role: str) -> dict[str, list[Row]]:
    with _readable(source) as place, AnswerStore(place) as store:
        rows = store.rows()
    path = None if "://" in str(source) else Path(source)
    check_chain(rows, path)
    by_reader: dict[str, list[Row]] = defaultdict(list)
    packages = {reader: package_of(protocol, key, reader).sha256 for reader in protocol.readers}
    for row in rows:
        own = row.study == protocol.id and row.protocol_sha256 == key.protocol_sha256
        if not own or packages.get(row.reader) != row.package_sha256:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"{role} holds answers to another study, or to another package of it",
                "give another place; when the study was made again, move the old answers away"
                if role == _EARLIER
                else "give the answers to this study",
                path,
            )
        trial = key.trial_of.get(row.trial)
        if row.kind == "answer" and (trial is None or trial.reader != row.reader or row.stage >= len(trial.stages)):
            raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} answers a trial that does not exist", path=path)
        by_reader[row.reader].append(row)
    return by_reader


@contextmanager
def _readable(source: str | Path) -> Iterator[str | Path]:
    """A copy of a file: reading SQLite's log needs the right to write, which a mailed file or a CD does not give."""
    if "://" in str(source):
        yield source
        return
    source = Path(source)
    if not source.is_file():
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "a file of answers does not exist", "check the path", source)
    with private_folder() as folder:
        copy = folder / "answers.sqlite"
        shutil.copyfile(source, copy)
        log = source.with_name(source.name + "-wal")
        if log.is_file():
            shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        yield copy


def _longer(one: list[Row], other: list[Row]) -> list[Row]:
    shorter, longer = sorted((one, other), key=len)
    if [row.hash for row in shorter] != [row.hash for row in longer[: len(shorter)]]:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"there are two different sets of answers of reader {shorter[0].reader}",
            "find out which one counts, and merge that one alone",
        )
    return longer


def _state(reader: str, rows: Sequence[Row], key: Key) -> ReaderState:
    answers = [row for row in rows if row.kind == "answer"]
    return ReaderState(
        reader=reader,
        answered=len({(row.trial, row.stage) for row in answers}),
        expected=sum(len(trial.stages) for trial in key.trials_of(reader)),
        corrections=sum(row.revision > 0 for row in answers),
        closed=any(row.kind == "closing" for row in rows),
    )
