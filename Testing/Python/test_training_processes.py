"""Several processes train what one process trains with the same batch, and all end when one does."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from training_example import Recorder, tiny_training

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.jobs.events import Failure, Result, Stage, Step
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Wish
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.launched import launched
from MedUSISLib.training.run import train

HERE = Path(__file__).resolve().parent
CPU = torch.device("cpu")
#: What each process draws for itself is left out: dropout, patches, the discriminator's minibatch deviation.
NETWORK = {"widths": [16, 16, 8], "spade_hidden": 8, "noise_channels": 4}
PHASES = [
    {"name": "l1", "iterations": 6, "l1": 1, "ssim": 0.1, "class_means": 0.5},
    {
        "name": "adversarial",
        "iterations": 6,
        "l1": 5,
        "class_means": 1,
        "adversarial": 1,
        "segmentation": 1,
        "mask": 1,
        "unpaired_share": 0.4,  # of five samples two, so that neither kind is divided evenly
        "r1_every": 2,
    },
]


def configured(folder: Path, **changes: Any) -> GeneratorTraining:
    common = {
        "batch_size": 5,
        "network": NETWORK,
        "discriminator": {"widths": [8, 8, 8], "group": 1},
        "discriminator_crop": None,
        "phases": PHASES,
        "validate_every": 12,
        "checkpoint_every": 6,
    }
    return tiny_training(folder, **{**common, **changes})


def environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "MEDUSIS_"))}
    path = os.pathsep.join([str(HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**inherited, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **variables}


def written(configuration: GeneratorTraining, folder: Path) -> Path:
    file = folder / "training.yaml"
    file.write_text(yaml.safe_dump(configuration.model_dump(mode="json")))
    return file


def networks_of(out: Path) -> dict[str, Any]:
    return load_checkpoint(out / LAST, CPU)["networks"]


def losses_of(out: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return next(line for line in lines if line["iteration"] == 10 and "loss" in line)


def assert_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Weights and running statistics of all networks, relative to the largest of each tensor or to what Adam moves."""
    for part in ("generator", "discriminator", "segmentator", "ema"):
        first, second = (state["ema"]["network"] if part == "ema" else state[part] for state in (one, other))
        assert first.keys() == second.keys()
        for name, tensor in first.items():
            within = 1e-3
            if part in ("generator", "ema"):
                # The BatchNorm that follows takes this bias away: its gradient is rounding, of which Adam makes steps.
                if name.endswith("conv1.bias"):
                    continue
                within = 5e-3 if name.endswith("norm2.spade.norm.running_mean") else within
            distance = float((tensor.float() - second[name].float()).abs().max())
            assert distance <= within * max(5e-3, float(tensor.float().abs().max())), f"{part}: {name}: {distance}"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process with the whole batch."""
    return train(configured(tmp_path_factory.mktemp("alone")), Recorder()).out


@pytest.fixture(scope="module")
def by_torchrun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes that torchrun started."""
    folder = tmp_path_factory.mktemp("torchrun")
    configuration = configured(folder)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command += ["-m", "MedUSISLib.cli", "train", str(written(configuration, folder)), "--json-events"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events].count("result") == 1  # the first process alone speaks
    return configuration.out


def test_two_processes_train_what_one_trains(alone: Path, by_torchrun: Path) -> None:
    assert_alike(networks_of(alone), networks_of(by_torchrun))
    one, two = losses_of(alone), losses_of(by_torchrun)
    assert one.keys() == two.keys()
    for name in one.keys() - {"phase", "rate", "spread"}:
        assert two[name] == pytest.approx(one[name], rel=1e-3, abs=1e-4), name


def test_two_processes_leave_what_one_leaves(alone: Path, by_torchrun: Path) -> None:
    names = ({p.relative_to(out).as_posix().split("/")[0] for p in out.rglob("*")} for out in (alone, by_torchrun))
    first, second = names
    assert first == second
    assert sorted(p.name for p in (by_torchrun / "samples").iterdir()) == ["000012.png"]
    iterations = [json.loads(line)["iteration"] for line in (by_torchrun / "log.jsonl").read_text().splitlines()]
    assert iterations.count(10) == 1
    load_bundle(by_torchrun / "bundle" / "tiny", kind="generator")


@pytest.mark.long
def test_a_training_goes_on_with_another_number_of_processes(alone: Path, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError) as caught:
        train(configured(tmp_path), Recorder(cancel_after=4 + 6))
    assert caught.value.code is ErrorCode.CANCELLED
    assert load_checkpoint(tmp_path / "run" / LAST, CPU)["iteration"] == 6
    # `devices` alone starts the processes
    configuration = configured(tmp_path, devices=2, resume=True)
    launcher = Launcher(JobSpecification.of("train", configuration))
    events = list(launcher.events())
    assert isinstance(events[-1], Result), events[-1]
    assert any(isinstance(event, Step) and event.done == 10 for event in events)
    assert [event.name for event in events if isinstance(event, Stage)].count("training") == 1
    assert_alike(networks_of(alone), networks_of(tmp_path / "run"))


def endless(folder: Path) -> GeneratorTraining:
    phases = [{"name": "l1", "iterations": 100_000, "l1": 1}]
    return configured(folder, devices=2, phases=phases, validate_every=100_000, checkpoint_every=100_000)


def started(configuration: GeneratorTraining) -> tuple[Launcher, Any, list[psutil.Process]]:
    """A job of two processes that are in the middle of training, and those processes."""
    launcher, heard = Launcher(JobSpecification.of("train", configuration)), queue.SimpleQueue()
    launcher.start(heard.put)
    while True:
        event = heard.get(timeout=600)
        assert not isinstance(event, Failure), event
        if isinstance(event, Step) and event.done >= 10:
            break
    found = [p for p in psutil.Process(launcher.pid).children(recursive=True) if "RANK" in p.environ()]
    assert sorted(p.environ()["RANK"] for p in found) == ["0", "1"]
    return launcher, heard, found


def last_event(heard: Any, seconds: float) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        event = heard.get(timeout=seconds)
        if isinstance(event, (Result, Failure)):
            return event
    raise AssertionError("the job did not end")


@pytest.mark.long
def test_the_death_of_one_process_ends_all_and_says_so(tmp_path: Path) -> None:
    launcher, heard, processes = started(endless(tmp_path))
    next(p for p in processes if p.environ()["RANK"] == "1").kill()
    event = last_event(heard, 60)
    assert isinstance(event, Failure)
    assert "SIGKILL" in event.message
    assert launcher.wait(10)
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.mark.long
def test_a_cancelled_training_leaves_no_process(tmp_path: Path) -> None:
    launcher, heard, processes = started(endless(tmp_path))
    launcher.cancel()
    event = last_event(heard, 60)
    assert isinstance(event, Failure) and event.code == "CANCELLED"
    psutil.wait_procs(processes, timeout=10)
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.mark.long
def test_a_pause_saves_a_checkpoint_before_all_end(tmp_path: Path) -> None:
    configuration = endless(tmp_path)
    launcher, heard, processes = started(configuration)
    launcher.wish(Wish.PAUSE)
    event = last_event(heard, 60)
    assert isinstance(event, Failure) and event.message.startswith("paused at iteration")
    assert load_checkpoint(configuration.out / LAST, CPU)["iteration"] >= 10
    psutil.wait_procs(processes, timeout=10)
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)
    # Without --resume nothing is overwritten: what the processes say is what the job says.
    *_, event = Launcher(JobSpecification.of("train", configuration)).events()
    assert isinstance(event, Failure) and event.code == "BAD_SETTING"
    assert "earlier training" in event.message


@pytest.mark.long
def test_processes_that_srun_started_find_each_other(by_torchrun: Path, tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    file = written(configuration, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_JOB_ID": "12345",
        "SLURM_NODELIST": "localhost",
        "MASTER_PORT": port,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "MedUSISLib.cli", "train", str(file)],
            env=environment(**common, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    one, two = networks_of(by_torchrun), networks_of(configuration.out)
    assert all(torch.equal(tensor, two["generator"][name]) for name, tensor in one["generator"].items())


def test_batch_norm_and_sums_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "synchronised_child.py")]
    children = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "store")], env=environment(), stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    errors = [child.communicate(timeout=600)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], errors


def test_more_processes_than_samples_or_than_were_started_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MedUSISError, match="only one was started"):
        train(configured(tmp_path, devices=2), Recorder())
    places = {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "8"}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MedUSISError, match="5 samples cannot be shared by 8 processes"):
        train(configured(tmp_path), Recorder())


def test_a_batch_script_without_srun_is_one_process() -> None:
    assert launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}) is None
    place = launched({"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "5"})
    assert place is not None
    assert (place.rank, place.world, place.per_node, place.nodes) == (5, 8, 4, 2)
