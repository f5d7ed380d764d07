"""Trainings as background runs: paused and resumed without a trace, ended early with a generator."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from runs_example import end_worker, wait_for, wait_for_state
from training_example import Recorder, tiny_training

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Wish
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore
from MedUSISLib.training.checkpoints import LAST, load_checkpoint, save_checkpoint
from MedUSISLib.training.log import read_log
from MedUSISLib.training.run import train

PHASES = ({"name": "l1", "iterations": 3, "l1": 1}, {"name": "adversarial", "iterations": 4, "l1": 5, "adversarial": 1})
LONG = {"phases": [{"name": "l1", "iterations": 100_000, "l1": 1}], "validate_every": 10, "checkpoint_every": 100_000}


class Wishing(Recorder):
    """Wishes something after so many iterations."""

    def __init__(self, wish: Wish, after: int) -> None:
        super().__init__()
        self._wish, self._after, self._asked = wish, after, 0

    @property
    def wish(self) -> Wish | None:
        self._asked += 1
        return self._wish if self._asked > self._after else None


@pytest.fixture()
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(tmp_path / "runs")
    yield store
    end_worker(store)


def weights(out: Path) -> dict[str, torch.Tensor]:
    """All weights of the last checkpoint, by name."""
    found: dict[str, torch.Tensor] = {}

    def collect(value: object, name: str) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = value
        elif isinstance(value, dict):
            for key, item in value.items():
                collect(item, f"{name}.{key}")

    collect(load_checkpoint(out / LAST, torch.device("cpu")), "")
    return found


def test_paused_in_both_phases_a_training_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    changes = {"phases": list(PHASES), "validate_every": 3, "checkpoint_every": 100}
    whole = train(tiny_training(tmp_path / "whole", **changes), Recorder())
    for resume, after in ((False, 2), (True, 3)):
        with pytest.raises(MedUSISError) as caught:
            train(tiny_training(tmp_path / "parts", resume=resume, **changes), Wishing(Wish.PAUSE, after))
        assert caught.value.code is ErrorCode.CANCELLED
    assert caught.value.message == "paused at iteration 5: a checkpoint is saved"
    parts = train(tiny_training(tmp_path / "parts", resume=True, **changes), Recorder())
    one, other = weights(whole.out), weights(parts.out)
    assert one.keys() == other.keys() and len(one) > 50
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert whole.figures == parts.figures


def test_finishing_before_the_first_iteration_exports_nothing(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path, phases=list(PHASES))
    with pytest.raises(MedUSISError, match="nothing had been trained yet"):
        train(configuration, Wishing(Wish.FINISH, 0))
    assert not (configuration.out / LAST).exists()


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_old_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / LAST, {"iteration": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        save_checkpoint(tmp_path / LAST, {"iteration": 2})
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert load_checkpoint(tmp_path / LAST, torch.device("cpu"))["iteration"] == 1


@pytest.mark.long
def test_a_training_in_the_background_is_paused_resumed_and_finished(store: RunStore, tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path, **LONG)
    run = store.submit(JobSpecification.of("train", configuration), "tiny")
    with pytest.raises(MedUSISError, match="nothing has been trained yet"):
        run.finish()
    wait_for(lambda: (run.status().iteration or 0) >= 10)
    with pytest.raises(MedUSISError, match="another MedUSIS run is writing to the same place"):
        train(configuration.model_copy(update={"resume": True}), Recorder())
    run.pause()
    wait_for_state(run, RunState.PAUSED)
    status = run.status()
    assert status.iteration is not None and status.done == status.iteration and status.total == 100_000
    assert status.message == f"paused at iteration {status.iteration}: a checkpoint is saved"
    assert status.newest_sample is not None and status.newest_sample.parent.name == "samples"
    saved = load_checkpoint(configuration.out / LAST, torch.device("cpu"))["iteration"]
    assert saved == status.iteration
    run.resume()
    wait_for(lambda: (run.status().iteration or 0) >= saved + 10)
    assert run.log().iteration >= saved
    run.finish()
    wait_for(lambda: not run.status().state.active)
    status = run.status()
    assert status.state is RunState.FINISHED, status
    assert status.message.startswith("ended early, at iteration ")
    assert status.bundle == configuration.out / "bundle" / "tiny"
    assert load_bundle(status.bundle).manifest.settings["training"]["iterations"] >= saved + 10
    assert set(configuration.out.iterdir()) <= set(run.data()), "what a training writes goes with its run"
    assert str(tmp_path / "a_t1.nii.gz") in (run.folder / "job.json").read_text()
    for path in run.folder.iterdir():
        assert path.name == "job.json" or "a_t1" not in path.read_text(), path.name


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_saves_a_checkpoint_in_the_terminal_too(tmp_path: Path) -> None:
    import yaml

    configuration = tiny_training(tmp_path, **LONG)
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(configuration.model_dump(mode="json")))
    process = subprocess.Popen(
        [sys.executable, "-m", "MedUSISLib.cli", "train", str(file)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MEDUSIS_LOGS": str(tmp_path / "log"), "COLUMNS": "200"},
    )
    wait_for(lambda: read_log(configuration.out).iteration >= 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "saving a checkpoint" in said
    assert "a checkpoint is saved" in said and "--resume" in said
    assert load_checkpoint(configuration.out / LAST, torch.device("cpu"))["iteration"] >= 10
