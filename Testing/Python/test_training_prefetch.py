"""Batches made ahead of their time: the same training, and nothing is left of them when it ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training_example import Recorder, tiny_training

from MedUSISLib.errors import MedUSISError
from MedUSISLib.training import generator_data
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.prefetch import Prefetch
from MedUSISLib.training.run import train


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


def networks_of(folder: Path) -> dict[str, Any]:
    networks = load_checkpoint(folder / LAST, torch.device("cpu"))["networks"]
    return {part: networks[part] for part in ("generator", "discriminator", "segmentator") if part in networks}


def assert_same(one: dict[str, Any], two: dict[str, Any]) -> None:
    for part, tensors in one.items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, two[part][name]), f"{part}: {name}"


def test_a_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    found = {n: networks_of(train(tiny_training(tmp_path / str(n), loader_workers=n), Recorder()).out) for n in (0, 3)}
    assert_same(found[0], found[3])
    assert not threads()


def test_a_roll_back_leaves_nothing_of_what_was_made_ahead(tmp_path: Path) -> None:
    exploding: dict[str, Any] = {
        "phases": [
            {"name": "good", "iterations": 3, "l1": 1},
            {"name": "bad", "iterations": 4, "l1": 1, "generator_rate": 1e30},
        ],
        "safety": {"rate_factor": 1e-33},
        "validate_every": 100,
    }
    found = {}
    for workers in (0, 2):
        recorder = Recorder()
        result = train(tiny_training(tmp_path / str(workers), loader_workers=workers, **exploding), recorder)
        assert "ROLLED_BACK" in dict(recorder.warnings)
        found[workers] = networks_of(result.out)
    assert_same(found[0], found[2])


def test_a_cancelled_training_leaves_no_thread(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="cancelled"):
        train(tiny_training(tmp_path, loader_workers=2), Recorder(cancel_after=4 + 2))
    assert not threads()


def test_what_goes_wrong_in_the_background_is_the_error_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = generator_data.GeneratorData.batch

    def broken(self: Any, phase: Any, iteration: int, *others: Any) -> Any:
        if iteration == 2 and threading.current_thread().name.startswith("batches"):
            raise RuntimeError("a mistake in the background")
        return real(self, phase, iteration, *others)

    monkeypatch.setattr(generator_data.GeneratorData, "batch", broken)
    with pytest.raises(RuntimeError, match="in the background"):
        train(tiny_training(tmp_path, loader_workers=2), Recorder())
    assert not threads()


def test_the_next_batch_is_made_while_this_one_is_worked_on_and_none_too_many() -> None:
    made: list[int] = []
    at_work = threading.Semaphore(0)

    def make(iteration: int, shift: int) -> Any:
        made.append(iteration)
        at_work.release()
        return iteration

    batches = Prefetch(make, last=6, workers=2)
    assert batches.take(0, 0) == 0  # type: ignore[comparison-overlap]
    for _ in range(3):
        assert at_work.acquire(timeout=120)
    time.sleep(0.05)
    assert sorted(made) == [0, 1, 2]
    assert [batches.take(n, 0) for n in range(1, 6)] == [1, 2, 3, 4, 5]
    batches.close()
    assert sorted(made) == [0, 1, 2, 3, 4, 5]  # those after the last iteration are not begun
