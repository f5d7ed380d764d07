"""Stand-ins for background runs, and datasets as a scan writes them, for tests of fine-tuning."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataset_example import ct, labels, mr, save

from MedUSISLib.dataset.request import ScanRequest
from MedUSISLib.dataset.scan import scan_dataset
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.runs.status import RunState, RunStatus
from MedUSISLib.training.log import TrainingLog, read_log


class FakeRun:
    """A run whose state the test sets; wishes change it at once."""

    def __init__(self, folder: Path, status: RunStatus, store: FakeRunStore) -> None:
        self.folder = folder
        self.id = status.id
        self.now = status
        self.asked: list[str] = []
        self.looks = 0
        self._store = store

    def status(self) -> RunStatus:
        self.looks += 1
        return self.now

    def change(self, **changes: Any) -> None:
        self.now = replace(self.now, **changes)

    def _wish(self, name: str, state: RunState) -> None:
        if self._store.refusal is not None:
            raise self._store.refusal
        self.asked.append(name)
        self.change(state=state)

    def pause(self) -> None:
        self._wish("pause", RunState.PAUSED)

    def resume(self) -> None:
        self._wish("resume", RunState.RUNNING)

    def finish(self) -> None:
        self._wish("finish", RunState.FINISHING)

    def stop(self) -> None:
        self._wish("stop", RunState.STOPPED)

    def remove(self, with_data: bool = False) -> None:
        self.asked.append(f"remove {with_data}")
        self._store.all.remove(self)

    def log(self) -> TrainingLog:
        return read_log(self.now.out)


class FakeRunStore:
    """Runs in memory; ``submitted`` are the job specifications."""

    def __init__(self) -> None:
        self.all: list[FakeRun] = []
        self.submitted: list[Any] = []
        self.refusal: MedUSISError | None = None

    def submit(self, specification: Any, name: str) -> FakeRun:
        if self.refusal is not None:
            raise self.refusal
        self.submitted.append(specification)
        queued = [run for run in self.all if run.now.state is RunState.QUEUED]
        going = any(run.now.state.active for run in self.all)
        state = RunState.QUEUED if going or queued else RunState.RUNNING
        out = Path(specification.parameters["out"])
        position = len(queued) + 1 if state is RunState.QUEUED else None
        run = self.add(out, name, kind=specification.kind, state=state, position_in_queue=position)
        (run.folder / "job.json").write_text(specification.model_dump_json())
        return run

    def add(self, out: Path, name: str = "my-head-t1w", **status: Any) -> FakeRun:
        """A run that writes into ``out``; its state folder lies beside."""
        folder = out.with_name(f"{out.name}-run")
        folder.mkdir(parents=True, exist_ok=True)
        run = FakeRun(folder, status_of(out, f"run-{len(self.all)}", name, **status), self)
        self.all.insert(0, run)
        return run

    def runs(self) -> list[FakeRun]:
        if self.refusal is not None and self.refusal.code is ErrorCode.INPUT_NOT_READABLE:
            raise self.refusal
        return list(self.all)


def status_of(out: Path, identifier: str, name: str, **changes: Any) -> RunStatus:
    """A run in the middle of its second phase, unless said otherwise."""
    values: dict[str, Any] = {
        "id": identifier,
        "name": name,
        "kind": "train",
        "state": RunState.RUNNING,
        "created": datetime(2026, 11, 20, tzinfo=UTC),
        "started": None,
        "ended": None,
        "stage": "training: adversarial",
        "done": 500,
        "total": 1200,
        "eta_s": 4000.0,
        "message": "",
        "hint": "",
        "code": "",
        "warnings": (),
        "position_in_queue": None,
        "out": out,
        "newest_sample": None,
        "bundle": None,
        "iteration": 500,
    }
    return RunStatus(**(values | changes))


def write_job(folder: Path, first: int = 200, second: int = 1000, every: int = 50) -> None:
    """The ``job.json`` of a fine-tuning of head-t1w."""
    parameters = {
        "start_from": {"generator": "head-t1w"},
        "selection": {"criterion": "mean_error"},
        "phases": [{"iterations": first}, {"iterations": second}],
        "validate_every": every,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps({"kind": "train", "parameters": parameters}))


def write_log(out: Path, entries: list[dict[str, Any]]) -> None:
    """``log.jsonl`` of a training."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.jsonl").open("a") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)


def hospital(root: Path) -> Path:
    """Three people with MR, one with a segmented CT, one whose labels nobody understands, and a broken file."""
    for number in (1, 2, 3):
        save(mr(number), root / f"P00{number}" / "t1.nii.gz")
    save(ct(4), root / "P004" / "ct.nii.gz")
    save(labels(), root / "P004" / "seg.nii.gz")
    odd = labels()
    save(ct(5), root / "P005" / "ct.nii.gz")
    save(odd.with_array(odd.array_kji.astype("uint8") * 13), root / "P005" / "seg.nii.gz")
    (root / "P006").mkdir()
    (root / "P006" / "broken_t1.nii.gz").write_bytes(b"no gzip")
    return root


def scanned(root: Path, out: Path) -> Path:
    """Scan with everybody's side set: P003 judges, the others are learned from."""
    scan_dataset(ScanRequest(folders=(root,), out=out, jobs=1))
    content = json.loads((out / "dataset.json").read_text())
    for person in content["people"]:
        person["split"] = "validation" if person["id"] == "P003" else "train"
    (out / "dataset.json").write_text(json.dumps(content))
    return out
