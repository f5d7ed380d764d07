"""All cases of a training made ready, several at once; what was finished before an interruption is not done again."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.dataset.workers import default_jobs, for_each
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.grid import GridSpec
from MedUSISLib.progress import Progress
from MedUSISLib.training.array_store import ArrayStore
from MedUSISLib.training.case_keys import IN_PLANE
from MedUSISLib.training.case_preparation import Source, case_key, prepared_case
from MedUSISLib.training.cases import Case, case_of
from MedUSISLib.training.data_configuration import ImageSource

#: What one process needs at most: 1.8 GB were measured for a head of 235 x 215 x 176 mm that `head-seg` labelled.
_BYTES_EACH = 2e9


@dataclass(frozen=True)
class _Task:
    source: Source
    name: str
    schema: LabelSchema
    cache: Path
    spec: GridSpec


def prepare_cases(
    sources: Sequence[Source],
    schema: LabelSchema,
    cache: Path,
    progress: Progress,
    spec: GridSpec = IN_PLANE,
    workers: int | None = None,
) -> list[Case]:
    """A case for each source, in their order.

    Parameters
    ----------
    sources : sequence of ImageSource and LabelSource
    schema : LabelSchema
    cache : Path
        Of several trainings with the same folder, each case is prepared by one; the others wait for it.
    progress : Progress
        Told how many of the missing cases are finished; may cancel.
    spec : GridSpec
    workers : int, optional
        Processes; as many as there are cores and memory for when absent. 1 works in this process.

    Raises
    ------
    MedUSISError
        When a case cannot be prepared: after all others have been, with a warning ``CASE_NOT_PREPARED`` for each that
        could not.
    """
    store = ArrayStore(cache)
    tasks = [_Task(source, _name(source, number), schema, cache, spec) for source, number in _numbered(sources)]
    keys = [case_key(source, schema, spec) for source in sources]
    missing = []
    for task, key in zip(tasks, keys, strict=True):
        damaged = store.path(key).is_file()
        if store.load(key) is None:
            missing.append(task)
            if damaged:
                progress.warning("CACHE_DAMAGED", f"{task.name}: its file in the cache is damaged and is made again")
        else:
            progress.checkpoint()
    if missing:
        progress.stage(f"preparing the data: {len(missing)} of {len(tasks)} cases are new")
        _prepare(missing, _workers(workers, len(missing)), progress)
    cases = []
    for task, key in zip(tasks, keys, strict=True):
        arrays = store.load(key)
        # Somebody may have emptied the folder meanwhile.
        cases.append(
            prepared_case(task.source, schema, cache, progress, spec)
            if arrays is None
            else case_of(task.source.person, arrays)
        )
    return cases


def _prepare(tasks: list[_Task], workers: int, progress: Progress) -> None:
    errors: list[MedUSISError] = []
    function = _in_a_process if workers > 1 else _InThisProcess(progress)
    for number, error in for_each(function, tasks, workers, progress, _broken):
        if error is not None:
            progress.warning("CASE_NOT_PREPARED", f"{tasks[number].name}: {error.message}")
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        first = errors[0]
        raise MedUSISError(
            first.code,
            f"{len(errors)} of {len(tasks)} cases cannot be prepared; one of them: {first.message}",
            first.hint,
            first.path,
        )


def _in_a_process(task: _Task) -> MedUSISError | None:
    return _InThisProcess(Progress())(task)


class _InThisProcess:
    """Prepares one case; what is wrong with it is the answer, so that the others are still tried."""

    def __init__(self, progress: Progress) -> None:
        self._progress = _CancelOnly(progress)

    def __call__(self, task: _Task) -> MedUSISError | None:
        try:
            prepared_case(task.source, task.schema, task.cache, self._progress, task.spec)
        except MedUSISError as error:
            # Without a place to write to, no case can be remembered.
            if error.code in (ErrorCode.CANCELLED, ErrorCode.DISK_FULL):
                raise
            return error
        return None


class _CancelOnly(Progress):
    """The steps within a case are not those of the list of cases."""

    def __init__(self, listener: Progress) -> None:
        self.checkpoint = listener.checkpoint  # type: ignore[method-assign]


def _broken(task: _Task) -> MedUSISError:
    """A library crashed on the file, or the system took the process away because memory ran out."""
    path = task.source.image if isinstance(task.source, ImageSource) else task.source.labels or task.source.ct
    return MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        "the process that prepared a case was ended by the system",
        "is there enough memory (fewer prepare_workers need less), and can another program open the file?",
        path,
    )


def _workers(wanted: int | None, tasks: int) -> int:
    if multiprocessing.current_process().daemon:  # such a process may have none of its own
        return 1
    if wanted is None:
        wanted = min(default_jobs(), int(psutil.virtual_memory().available / _BYTES_EACH))
    return max(1, min(wanted, tasks))


def _numbered(sources: Sequence[Source]) -> list[tuple[Source, int]]:
    """Each with its place among those of its kind, from 1."""
    counts: dict[type, int] = {}
    result = []
    for source in sources:
        counts[type(source)] = counts.get(type(source), 0) + 1
        result.append((source, counts[type(source)]))
    return result


def _name(source: Source, number: int) -> str:
    return f"{'image' if isinstance(source, ImageSource) else 'label map'} {number}"
