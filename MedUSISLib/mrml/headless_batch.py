"""A batch in Slicer without a window: the job in a child process, progress in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.batch_found import found_text, read_found, write_table
from MedUSISLib.mrml.batch_logic import KIND, count
from MedUSISLib.mrml.installation_status import dependency_status
from MedUSISLib.mrml.job_run import JobRun
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.mrml.stage_titles import stage_title
from MedUSISLib.mrml.worker import Worker

_TO_END_S = 20.0
"""How long a batch that was interrupted may take to end its workers and to write its pages."""


def run_batch(
    parameters: Mapping[str, Any],
    say: Callable[[str], None],
    idle: Callable[[], object] | None = None,
    worker: Worker | None = None,
    table: Path | None = None,
) -> dict[str, Any]:
    """Do a batch, or say what there would be to do (``dry_run``).

    Parameters
    ----------
    parameters : mapping
        Of ``MedUSISLib.batch.request.BatchRequest``; paths absolute.
    say : callable
        Receives lines of progress. Names of this machine's files are in them for a dry run alone.
    idle : callable, optional
        Called while the job runs, for example ``slicer.app.processEvents``.
    worker : Worker, optional
    table : Path, optional
        With ``dry_run``: gets the cases as a table to correct; one that is there is not replaced.

    Returns
    -------
    dict
        Numbers of cases, as the job says them.

    Raises
    ------
    MedUSISError
        Whatever stops the whole batch; the same call goes on with it. A case that failed is no error.
    KeyboardInterrupt
        Ctrl-C; the job has ended then, and the same call goes on with it.
    """
    if table is not None and table.exists():  # somebody's corrections, perhaps
        raise MedUSISError(ErrorCode.BAD_SETTING, "the table exists already", "remove it, or give another name", table)
    status = dependency_status()
    if not status.complete:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            status.sentence,
            status.torch_hint or "start Slicer with its window, open the module MedUSIS and let it install them",
        )
    from MedUSISLib.jobs.specification import JobSpecification

    worker = worker or Worker()
    folder = RunFolder()
    file = folder.path / "found.json"
    given = {**parameters, "found": str(file)} if parameters.get("dry_run") else dict(parameters)
    specification = JobSpecification(kind=KIND, parameters=given)
    run = JobRun(specification, worker.new_process(), worker.command(), worker.single_shot, folder, worker.kinds)
    heard = _Heard(say)
    run.stage.connect(heard.stage)
    run.progressed.connect(heard.progress)
    run.warned.connect(lambda code, message: say(f"{code}: {message}"))
    run.succeeded.connect(heard.outcome.append)
    run.failed.connect(heard.outcome.append)
    try:
        run.start()
        try:
            run.wait(idle=idle)
        except KeyboardInterrupt:
            run.cancel(_TO_END_S)
            run.wait(_TO_END_S)
            raise
        (result,) = heard.outcome
        if hasattr(result, "error"):
            raise result.error()
        summary: dict[str, Any] = result.summary
        if parameters.get("dry_run"):
            _say_found(file, summary, Path(parameters["input"]), table, say)
        else:
            for line in outcome_lines(summary):
                say(line)
    finally:
        run.close()
    return summary


class _Heard:
    """Says what the job tells, each step once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._done = 0
        self._counts_cases = False
        self.outcome: list[Any] = []

    def stage(self, name: str) -> None:
        self._counts_cases = name == "synthesizing"
        self._done = 0
        self._say(stage_title(name, KIND))

    def progress(self, done: int, total: int, eta_s: float | None) -> None:
        if self._counts_cases and done > self._done:
            self._done = done
            left = "" if eta_s is None or done >= total else f", about {_duration(eta_s)} left"
            self._say(f"{done} of {count(total, 'case')}{left}")


def outcome_lines(summary: Mapping[str, Any]) -> list[str]:
    """How a batch ended.

    Examples
    --------
    >>> outcome_lines({"cases": 3, "done": 2, "failed": 1, "skipped": 0, "waiting": 0, "review": 1})
    ['3 cases: 2 done, 1 failed. 1 should be looked at.']
    """
    parts = [f"{summary[name]} {name}" for name in ("done", "failed", "skipped", "waiting") if summary.get(name)]
    text = f"{count(int(summary.get('cases', 0)), 'case')}: {', '.join(parts) or 'nothing was done'}."
    if summary.get("review"):
        text += f" {summary['review']} should be looked at."
    return [text]


def _say_found(
    file: Path, summary: Mapping[str, Any], source: Path, table: Path | None, say: Callable[[str], None]
) -> None:
    """The sentence of the window, then each case and problem as the command line lists them."""
    from MedUSISLib.batch.found_text import found_text as found_lines

    found = read_found(file, summary)
    say(found_text(found))
    if found.listed is not None:
        say(found_lines(found.listed, source))
        if table is not None:
            say(str(write_table(found, source, table)))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
