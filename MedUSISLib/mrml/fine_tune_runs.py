"""The background runs as the window shows them: which there are, how they stand, and what can be done with each.

Runs belong to ``MedUSISLib.runs``: folders that outlive Slicer, and a process that works them off. What is here only
looks at them, in small steps, so that a timer of the window can ask every second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from MedUSISLib.mrml.hints import without_brackets

if TYPE_CHECKING:
    from MedUSISLib.jobs.specification import JobSpecification
    from MedUSISLib.runs.status import RunStatus
    from MedUSISLib.training.log import TrainingLog

FINAL = frozenset({"stopped", "finished", "failed"})
"""States that do not change by themselves."""

_ACTIONS: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"pause", "stop", "remove"}),
    "running": frozenset({"pause", "finish", "stop"}),
    "pausing": frozenset({"stop"}),
    "paused": frozenset({"resume", "finish", "stop", "remove"}),
    "finishing": frozenset({"stop"}),
    "stopping": frozenset(),
    "stopped": frozenset({"resume", "finish", "remove"}),
    "finished": frozenset({"use", "remove"}),
    "failed": frozenset({"resume", "finish", "remove"}),
}

_TITLES: Mapping[str, str] = {
    "queued": "waiting",
    "running": "running",
    "pausing": "pausing",
    "paused": "paused",
    "finishing": "finishing",
    "stopping": "stopping",
    "stopped": "stopped",
    "finished": "finished",
    "failed": "went wrong",
}


class RunProtocol(Protocol):
    """One run (``MedUSISLib.runs``)."""

    @property
    def folder(self) -> Path:
        """State folder of the run."""

    @property
    def id(self) -> str:
        """Unique name."""

    def status(self) -> RunStatus:
        """How it stands; quick, never raises for a file that is half written."""

    def pause(self) -> None:
        """Save and end, to go on later."""

    def resume(self) -> None:
        """Go on."""

    def finish(self) -> None:
        """End now and make a generator of the best state so far."""

    def stop(self) -> None:
        """End now without a generator; the checkpoint stays."""

    def remove(self, with_data: bool = False) -> None:
        """Forget the run; with its files in the working folder, too."""

    def log(self) -> TrainingLog:
        """Losses and checks so far."""


class RunStoreProtocol(Protocol):
    """All runs of this user."""

    def submit(self, specification: JobSpecification, name: str) -> RunProtocol:
        """Queue a job; starts the worker process when none lives."""

    def runs(self) -> Sequence[RunProtocol]:
        """Newest first."""


@dataclass(frozen=True)
class RunFacts:
    """What a run was asked for, as far as its curves need it.

    Attributes
    ----------
    parent : str
        The generator that it starts from; empty without one.
    criterion : str
        Figure that says which state is the best.
    iterations : int
        Of all phases; 0 when nobody knows.
    judged_after : int
        Checks up to this iteration are those of earlier phases.
    check_every : int
    """

    parent: str = ""
    criterion: str = "mean_error"
    iterations: int = 0
    judged_after: int = 0
    check_every: int = 0

    @property
    def first_judgement(self) -> int:
        """Iteration of the first check of the last phase; 0 when nobody knows."""
        if not self.check_every:
            return 0
        first = (self.judged_after // self.check_every + 1) * self.check_every
        return min(first, self.iterations)


def open_run_store() -> RunStoreProtocol:
    """The runs of this user; their worker is Slicer's own Python. Nothing is started by this."""
    from MedUSISLib.mrml.worker import python_of_worker
    from MedUSISLib.runs.store import RunStore

    return RunStore(python=python_of_worker())


def facts_of(folder: Path) -> RunFacts:
    """From ``job.json`` in the run's folder; what cannot be read is left open."""
    try:
        parameters = json.loads((folder / "job.json").read_text(encoding="utf-8"))["parameters"]
        phases = [int(phase["iterations"]) for phase in parameters.get("phases") or []]
        start = parameters.get("start_from") or {}
        selection = parameters.get("selection") or {}
        return RunFacts(
            parent=Path(str(start.get("generator", ""))).name,
            criterion=str(selection.get("criterion", "mean_error")),
            iterations=sum(phases) or int(parameters.get("iterations") or 0),
            judged_after=sum(phases[:-1]),
            check_every=int(parameters.get("validate_every") or 0),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return RunFacts()


@dataclass(frozen=True)
class RunLine:
    """A run in the list.

    Attributes
    ----------
    id, name : str
    state : str
        As ``RunState`` has it.
    title : str
        The state in words.
    fraction : float or None
        Of the iterations, 0 to 1; None when nobody knows.
    eta_s : float or None
    actions : frozenset of str
        Of "pause", "resume", "finish", "stop", "remove" and "use" those that make sense now.
    status : RunStatus
    """

    id: str
    name: str
    state: str
    title: str
    fraction: float | None
    eta_s: float | None
    actions: frozenset[str]
    status: Any

    @property
    def working(self) -> bool:
        """Whether a process works on it now."""
        return self.state in ("running", "pausing", "finishing", "stopping")

    @property
    def final(self) -> bool:
        """Whether it can only change when somebody wants it to."""
        return self.state in FINAL


_HINTS: Mapping[str, str] = {
    "OUT_OF_MEMORY": "close other programs and resume it, or start it again on another device",
    "DISK_FULL": "free some space, then resume it",
    "DEVICE_NOT_AVAILABLE": "start it again on another device",
}
"""In place of hints that name lines of a configuration file."""

_OF_CONFIGURATION = re.compile(r"`|\b[a-z_]+\.[a-z_]+\b|--[a-z]")


def hint_of(status: RunStatus) -> str:
    """What to do about a run that does not go on, for a person who sees no configuration file."""
    hint = without_brackets(status.hint)
    if hint and _OF_CONFIGURATION.search(hint):
        return _HINTS.get(status.code, "start it again with other settings, under another name")
    return hint


def warnings_of(status: RunStatus) -> list[str]:
    """What the run had to say, each thing once, without advice on lines of a configuration file.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> warnings_of(SimpleNamespace(warnings=(("MEMORY_TIGHT", "1 GB is free: a higher `accumulate` needs less"),)))
    ['1 GB is free']
    """
    found = []
    for _, text in status.warnings:
        said, colon, advice = text.partition(": ")
        found.append(said if colon and "`" in advice else text)
    return list(dict.fromkeys(found))


class RunList:
    """Knows the runs, and asks only those that can have changed.

    Parameters
    ----------
    open_store : callable
        Makes the store when it is needed for the first time; the packages may be missing before.
    kind : str
        Which jobs; those of another kind are passed over.

    Examples
    --------
    Every second::

        lines = runs.refresh()
        view = runs.look(selected)      # curves, only when something was added
    """

    def __init__(self, open_store: Callable[[], RunStoreProtocol], kind: str = "train") -> None:
        self._open_store = open_store
        self._kind = kind
        self._others: set[str] = set()
        self._store: RunStoreProtocol | None = None
        self._runs: dict[str, RunProtocol] = {}
        self._lines: dict[str, RunLine] = {}
        self._facts: dict[str, RunFacts] = {}
        self._logs: dict[str, tuple[Any, TrainingLog]] = {}

    @property
    def store(self) -> RunStoreProtocol:
        """The store; opened when it is needed."""
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def run(self, identifier: str) -> RunProtocol:
        """The run of a line; KeyError when it is gone."""
        return self._runs[identifier]

    def refresh(self, everything: bool = False) -> list[RunLine]:
        """Look again, newest run first; runs that have ended are asked only with ``everything`` or when new."""
        found = {run.id: run for run in self.store.runs()}
        self._others &= found.keys()
        runs = {identifier: run for identifier, run in found.items() if identifier not in self._others}
        lines: dict[str, RunLine] = {}
        for identifier, run in list(runs.items()):
            known = self._lines.get(identifier)
            line = known if known is not None and known.final and not everything else self._line(run)
            if line.status.kind in (self._kind, ""):  # a damaged one does not say what it was
                lines[identifier] = line
            else:
                self._others.add(identifier)
                del runs[identifier]
        self._runs, self._lines = runs, lines
        self._facts = {known: facts for known, facts in self._facts.items() if known in runs}
        self._logs = {known: log for known, log in self._logs.items() if known in runs}
        return list(lines.values())

    def others_at_work(self) -> bool:
        """Whether a job of another kind works or waits: one run works at a time."""
        statuses = (run.status() for run in self.store.runs() if run.id in self._others)
        return any(status.state.active or status.state.value == "queued" for status in statuses)

    def facts(self, identifier: str) -> RunFacts:
        """What a run was asked for."""
        return self._facts_of(self._runs[identifier])

    def _facts_of(self, run: RunProtocol) -> RunFacts:
        if run.id not in self._facts:
            self._facts[run.id] = facts_of(run.folder)
        return self._facts[run.id]

    def log(self, identifier: str) -> tuple[TrainingLog, bool]:
        """The log of a run, and whether anything can have been added since the last call."""
        line = self._lines[identifier]
        mark = (line.state, line.status.done, line.status.stage, _stamp(line.status.out / "log.jsonl"))
        known = self._logs.get(identifier)
        if known is not None and known[0] == mark:
            return known[1], False
        log = self._runs[identifier].log()
        self._logs[identifier] = (mark, log)
        return log, True

    def names(self) -> set[str]:
        """Names of all runs that are known."""
        return {line.name for line in self._lines.values()}

    def _line(self, run: RunProtocol) -> RunLine:
        status = run.status()
        state = str(getattr(status.state, "value", status.state))
        title = _TITLES.get(state, state)
        if status.position_in_queue is not None and state == "queued":
            title = "next" if status.position_in_queue == 1 else f"waiting, number {status.position_in_queue}"
        elif state == "paused" and status.message:
            title = "interrupted" if "interrupted" in status.message else title
        actions = set(_ACTIONS.get(state, frozenset()))
        if status.bundle is None:
            actions.discard("use")
        if state == "queued" and status.hint:  # nothing works on the queue, after a power cut for example
            actions.add("resume")
        if not status.iteration:  # nothing was learned yet that could become a generator
            actions.discard("finish")
        return RunLine(
            run.id,
            status.name,
            state,
            title,
            _fraction(status, state, self._facts_of(run).iterations),
            status.eta_s if state in ("running", "finishing") else None,
            frozenset(actions),
            status,
        )


def _fraction(status: RunStatus, state: str, iterations: int) -> float | None:
    """Of the iterations: cases that are being prepared, or slices that are being judged, are no part of them."""
    if state == "finished":
        return 1.0
    if iterations:
        return min(1.0, status.iteration / iterations) if status.iteration else None
    return min(1.0, status.done / status.total) if status.total > 0 else None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
