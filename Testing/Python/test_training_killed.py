"""A training that is killed, again and again, and resumed ends bit-identical to one that was left alone."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from training_example import Recorder, tiny_training

from MedUSISLib.training.checkpoints import BEST, GOOD, LAST, load_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.run import train

#: Everything that has a state or draws: warm start, adversarial part with lazy R1, two discriminator steps,
#: segmentator, parts of a batch, moving average, patience, dropout, grain, all variations of the data.
EVERYTHING: dict[str, Any] = {
    "batch_size": 4,
    "accumulate": 2,
    "checkpoint_every": 2,
    "validate_every": 3,
    "grain": {"white_matter": 0.02, "fat": 0.01},
    "augmentation": {"flip": 0.5, "deform": 0.7, "gamma": 0.2, "bias": 0.2},
    "selection": {"criterion": "mean_error", "patience": 50, "export": "best"},
}


def phases(first: int, second: int) -> list[dict[str, Any]]:
    adversarial = {"adversarial": 1, "segmentation": 1, "mask": 1, "class_means": 1, "discriminator_steps": 2}
    return [
        {"name": "l1", "iterations": first, "l1": 1, "ema": 0.9},
        {
            "name": "both",
            "iterations": second,
            "l1": 5,
            "unpaired_share": 0.5,
            "r1_every": 3,
            "ema": 0.9,
            **adversarial,
        },
    ]


def tensors_of(state: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a checkpoint, by its place."""
    if isinstance(state, dict):
        for key, value in state.items():
            yield from tensors_of(value, f"{name}/{key}")
    elif isinstance(state, (list, tuple)):
        for number, value in enumerate(state):
            yield from tensors_of(value, f"{name}/{number}")
    else:
        yield name, state


def assert_same_training(one: Path, two: Path) -> None:
    """All of what the checkpoints hold, and the exported weights byte for byte."""
    for checkpoint in (LAST, GOOD, BEST):
        first, second = (dict(tensors_of(load_checkpoint(out / checkpoint, torch.device("cpu")))) for out in (one, two))
        assert first.keys() == second.keys(), checkpoint
        assert len(first) > 100
        for name, value in first.items():
            same = torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]
            assert same, f"{checkpoint}: {name}"
    weights, others = ((out / "bundle" / "tiny" / "weights.safetensors").read_bytes() for out in (one, two))
    assert weights == others
    halves = [p.name for out in (one, two) for p in out.rglob("*") if ".tmp" in p.name or p.name.startswith(".")]
    assert not halves


# -- killed from outside, as by a power cut, an impatient user or a system without memory ------------------------------


def command_of(configuration: GeneratorTraining, file: Path) -> list[str]:
    content = configuration.model_dump(mode="json")
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return [sys.executable, "-m", "MedUSISLib.cli", "train", str(file)]


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Without a warning, the process that does the work first."""
    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True)[::-1], parent]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=30)
    process.wait(30)


def changed(path: Path, before: int) -> bool:
    try:
        return path.stat().st_mtime_ns != before
    except FileNotFoundError:
        return False


def train_with_kills(configuration: GeneratorTraining, folder: Path, kills: int, seed: int) -> int:
    """Through `medusis train ... --resume`; returns how many kills met a training at work."""
    rng, met = random.Random(seed), 0
    command = command_of(configuration, folder / "killed.yaml")
    last = configuration.out / LAST
    for _ in range(kills):
        before = last.stat().st_mtime_ns if last.is_file() else 0
        process = subprocess.Popen([*command, "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not changed(last, before):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.5))  # at work again: anywhere between here and the end
        met += process.poll() is None
        kill_tree(process)
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return met


def both_ways(tmp_path: Path, kills: int, seed: int, **changes: Any) -> int:
    alone = tiny_training(tmp_path / "alone", **EVERYTHING, **changes)
    subprocess.run(command_of(alone, tmp_path / "alone.yaml"), check=True, stdout=subprocess.DEVNULL)
    killed = tiny_training(tmp_path / "killed", **EVERYTHING, **changes)
    met = train_with_kills(killed, tmp_path, kills, seed)
    assert_same_training(alone.out, killed.out)
    return met


@pytest.mark.skipif(os.name == "nt", reason="files of a killed process stay locked for a while on Windows")
@pytest.mark.long
def test_a_training_killed_and_resumed_by_the_command_ends_bit_identically(tmp_path: Path) -> None:
    assert both_ways(tmp_path, kills=2, seed=1, phases=phases(3, 9)) >= 1


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3, 4])
@pytest.mark.skipif(os.name == "nt", reason="files of a killed process stay locked for a while on Windows")
def test_a_training_killed_many_times_ends_bit_identically(tmp_path: Path, seed: int) -> None:
    more = {"loader_workers": 2, "discriminator_crop": None} if seed == 3 else {}
    assert both_ways(tmp_path, kills=8, seed=seed, phases=phases(8, 60), **more) >= 6


# -- killed when a file is put in its place ----------------------------------------------------------------------------


class _Killed(BaseException):
    """No handler for errors catches it, as none catches a kill."""


def killed_at(number: int, patch: pytest.MonkeyPatch) -> None:
    """The so-manieth renaming of a file does not happen any more, and nothing after it."""
    count = itertools.count(1)
    real = Path.replace

    def replace(self: Path, target: Any) -> Path:
        if next(count) >= number:
            raise _Killed
        return real(self, target)

    patch.setattr(Path, "replace", replace)


def killed_at_files(tmp_path: Path, numbers: Iterable[int], **changes: Any) -> int:
    """Once for each number; returns how many trainings were killed before one was finished earlier than that."""
    changes = {**EVERYTHING, "phases": phases(2, 3), "loader_workers": 0, **changes}
    alone = train(tiny_training(tmp_path / "alone", **changes), Recorder()).out
    rounds = 0
    for number in numbers:
        folder = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(number, patch)
            try:
                train(tiny_training(folder, **changes), Recorder())
                return rounds
            except _Killed:
                rounds += 1
        train(tiny_training(folder, **changes, resume=True), Recorder())
        assert_same_training(alone, folder / "run")
    return rounds


def test_no_file_is_put_in_its_place_too_early(tmp_path: Path) -> None:
    assert killed_at_files(tmp_path, (3, 8)) == 2


@pytest.mark.long
def test_no_file_at_all_is_put_in_its_place_too_early(tmp_path: Path) -> None:
    assert killed_at_files(tmp_path, itertools.count(1)) >= 8


@pytest.mark.long
def test_a_kill_between_the_checkpoints_does_not_change_where_a_roll_back_goes(tmp_path: Path) -> None:
    exploding = [
        # An even number: what the first bad step did is seen in the second, before it could be saved as good.
        {"name": "good", "iterations": 6, "l1": 1},
        {"name": "bad", "iterations": 4, "l1": 1, "generator_rate": 1e30},
    ]
    safety = {"rate_factor": 1e-33}
    assert killed_at_files(tmp_path, itertools.count(1), phases=exploding, safety=safety) >= 5
