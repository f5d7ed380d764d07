"""A batch that goes on waits for workers that a killed one left on a cluster."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from MedUSISLib.batch import cluster_lease
from MedUSISLib.batch.cluster_lease import AskedFile, wait_for_left_workers
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress


class Listener(Progress):
    """Counts its checkpoints, and may cancel at the first."""

    def __init__(self, cancels: bool = False) -> None:
        self.stages: list[str] = []
        self.checkpoints = 0
        self._cancels = cancels

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def checkpoint(self) -> None:
        self.checkpoints += 1
        if self._cancels:
            raise MedUSISError(ErrorCode.CANCELLED, "the job was cancelled")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LEASE_S", 0.6), ("MARGIN_S", 0.2), ("_EVERY_S", 0.2), ("_LOOK_S", 0.05)):
        monkeypatch.setattr(cluster_lease, name, value)


@pytest.mark.fault("a batch on a cluster was killed, and its workers still live when it goes on")
def test_it_waits_until_the_workers_of_the_last_run_must_have_ended(tmp_path: Path, short: None) -> None:
    began, listener = time.monotonic(), Listener()
    AskedFile(tmp_path).asked()
    wait_for_left_workers(tmp_path, listener)
    assert 0.8 <= time.monotonic() - began < 60
    assert listener.stages == ["waiting until workers of the last run have ended"] and listener.checkpoints > 0
    assert list(tmp_path.iterdir()) == []


def test_it_does_not_wait_for_workers_that_were_seen_dead_or_are_long_gone(tmp_path: Path) -> None:
    asked, listener = AskedFile(tmp_path), Listener()
    asked.asked()
    asked.over()
    wait_for_left_workers(tmp_path, listener)
    asked = AskedFile(tmp_path)
    asked.asked()
    os.utime(tmp_path / ".medusis-cluster", (time.time() - 100, time.time() - 100))
    wait_for_left_workers(tmp_path, listener)
    assert listener.stages == [] and list(tmp_path.iterdir()) == []


def test_who_waits_can_be_cancelled_and_the_next_one_waits_again(tmp_path: Path) -> None:
    AskedFile(tmp_path).asked()
    with pytest.raises(MedUSISError):
        wait_for_left_workers(tmp_path, Listener(cancels=True))
    assert (tmp_path / ".medusis-cluster").exists()
