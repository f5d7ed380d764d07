"""Batches of made cases with workers that have no network, for the tests of the runner."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import fake_batch_worker
import pytest

from MedUSISLib.batch import pools, runner
from MedUSISLib.batch.local_pool import LocalPool
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.outcome import BatchOutcome
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseRow
from MedUSISLib.generators.bundle import verify_bundle
from MedUSISLib.generators.catalogue import find_bundle
from MedUSISLib.progress import Progress, Wish


class Listener(Progress):
    """Remembers what it hears; ``wish`` may be set while a batch runs."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.steps: list[tuple[int, int]] = []
        self.warnings: list[tuple[str, str]] = []
        self.wanted: Wish | None = None
        self.wanted_after: int | None = None

    @property
    def wish(self) -> Wish | None:
        if self.wanted_after is not None and (not self.steps or self.steps[-1][0] < self.wanted_after):
            return None
        return self.wanted

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def warning(self, code: str, message: str) -> None:
        self.warnings.append((code, message))


@dataclass
class Example:
    """A table of cases whose names say what their worker does, and the folder for the results."""

    folder: Path
    listener: Listener = field(default_factory=Listener)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def inputs(self) -> Path:
        return self.folder / "DOE_JANE"

    def write(self, names: Sequence[str]) -> None:
        """Make the inputs; a name that begins with "without" has no segmentation."""
        self.inputs.mkdir(exist_ok=True)
        lines = ["id,ct,segmentation"]
        for name in names:
            for part in ("ct", "seg"):
                path = self.inputs / f"{name}_{part}.nii.gz"
                if not path.exists():  # written again it would be another input
                    path.write_bytes(f"{name} {part}".encode())
            segmentation = "" if name.startswith("without") else f"DOE_JANE/{name}_seg.nii.gz"
            lines.append(f"DOE_JANE_{name},DOE_JANE/{name}_ct.nii.gz,{segmentation}")
        (self.folder / "cases.csv").write_text("\n".join(lines) + "\n")

    def open_gate(self) -> None:
        """Let through the cases that are called "gate"."""
        (self.inputs / fake_batch_worker.OPEN).touch()

    def request(self, **settings: object) -> BatchRequest:
        given = {"input": self.folder / "cases.csv", "out": self.out, "device": "cpu", "workers": 1, **settings}
        return BatchRequest.model_validate(given)

    def run(self, **settings: object) -> BatchOutcome:
        self.listener = Listener() if self.listener.wanted is None else self.listener
        return runner.run_batch(self.request(**settings), self.listener)

    def rows(self) -> dict[str, CaseRow]:
        """By the name of the case in the table."""
        with Manifest.open(self.out, read_only=True) as manifest:
            return {row.key.removeprefix("DOE_JANE_"): row for row in manifest.rows()}

    def states(self) -> dict[str, str]:
        return {name: row.state.value for name, row in self.rows().items()}

    def notes(self, what: str) -> list[int]:
        """Numbers of the cases of which a worker noted this, in order."""
        path = self.inputs / "notes"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [int(line[0]) for line in lines if line[1] == what]


@contextmanager
def fake_workers() -> Iterator[None]:
    """Batches of this process use workers without a network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(fake_batch_worker.GENERATOR_SHA256, verify_bundle(find_bundle("head-t1w")).sha256)
        patch.setattr(pools, "LocalPool", partial(LocalPool, command=fake_batch_worker.COMMAND))
        yield


if __name__ == "__main__":  # a batch in a process of its own, to be killed
    import sys

    with fake_workers():
        runner.run_batch(BatchRequest.model_validate_json(sys.argv[1]))
    os._exit(0)
