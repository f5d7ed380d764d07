"""A training that goes wrong goes back and tries again; one that no longer gets better ends; both can be resumed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from training_example import Recorder, tiny_training

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.training.checkpoints import BEST, GOOD, LAST, load_checkpoint
from MedUSISLib.training.health import HealthWatch, SafetySettings, Trouble
from MedUSISLib.training.run import train
from MedUSISLib.training.selection import Selection, SelectionSettings

CPU = torch.device("cpu")


def state_of(out: Path, name: str = LAST) -> dict[str, Any]:
    return load_checkpoint(out / name, CPU)


def assert_same_networks(one: Path, two: Path) -> None:
    first, second = state_of(one)["networks"], state_of(two)["networks"]
    assert first.keys() == second.keys()
    for part in ("generator", "discriminator"):
        for name, tensor in first.get(part, {}).items():
            assert torch.equal(tensor, second[part][name]), f"{part}: {name}"


#: Three good steps, then a rate that no weight survives; one roll-back makes it an ordinary one.
EXPLODING: dict[str, Any] = {
    "phases": [
        {"name": "good", "iterations": 3, "l1": 1},
        {"name": "bad", "iterations": 4, "l1": 1, "generator_rate": 1e30},
    ],
    "safety": {"rate_factor": 1e-33},
    "validate_every": 100,
}


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("recovered")
    recorder = Recorder()
    return train(tiny_training(folder, **EXPLODING), recorder), recorder


def test_a_diverged_training_goes_back_to_the_last_good_checkpoint_and_says_so(recovered) -> None:
    result, recorder = recovered
    assert result.iterations == 7
    said = dict(recorder.warnings)["ROLLED_BACK"]
    assert "not a finite number" in said and "back to iteration 3" in said and "1 of 3" in said
    assert recorder.metrics["rollbacks"] == [1]
    log = [json.loads(line) for line in (result.out / "log.jsonl").read_text().splitlines()]
    assert [entry["trouble"] for entry in log if "trouble" in entry] == ["diverged"]
    assert state_of(result.out)["rollbacks"] == 1
    assert load_bundle(result.bundle).manifest.settings["training"]["roll-backs"] == 1
    for tensor in state_of(result.out, GOOD)["networks"]["generator"].values():
        assert torch.isfinite(tensor).all()


def test_weights_that_explode_right_before_a_checkpoint_are_not_gone_back_to(tmp_path: Path) -> None:
    # Step 4 is the first of the bad phase. Its loss is that of the good weights, and what it makes of them is finite.
    recorder = Recorder()
    result = train(tiny_training(tmp_path, **EXPLODING | {"checkpoint_every": 1}), recorder)
    assert "at iteration 4: back to iteration 3" in dict(recorder.warnings)["ROLLED_BACK"]
    assert recorder.metrics["rollbacks"] == [1]
    assert result.iterations == 7


@pytest.mark.parametrize("steps", [4, 6])
def test_a_training_interrupted_before_or_after_a_roll_back_ends_bit_identically(
    recovered, tmp_path: Path, steps: int
) -> None:
    with pytest.raises(MedUSISError) as caught:
        train(tiny_training(tmp_path, **EXPLODING), Recorder(cancel_after=4 + steps))
    assert caught.value.code is ErrorCode.CANCELLED
    assert state_of(tmp_path / "run")["iteration"] == 3
    resumed = train(tiny_training(tmp_path, **EXPLODING, resume=True), Recorder())
    assert_same_networks(resumed.out, recovered[0].out)


def test_without_a_good_checkpoint_it_begins_again(tmp_path: Path) -> None:
    phases = [{"name": "bad", "iterations": 3, "l1": 1, "generator_rate": 1e30}]
    recorder = Recorder()
    train(tiny_training(tmp_path, phases=phases, safety={"rate_factor": 1e-33}), recorder)
    assert "back to iteration 0" in dict(recorder.warnings)["ROLLED_BACK"]


@pytest.mark.parametrize(
    ("safety", "words"),
    [
        ({"vanished_below": 10, "vanished_steps": 2, "rollbacks": 1}, "no contrast"),
        ({"saturated_below": 100, "saturated_steps": 2, "rollbacks": 1}, "discriminator has won"),
        ({"saturated_below": 100, "saturated_steps": 2, "rollbacks": 0}, "discriminator has won"),
    ],
)
def test_what_goes_wrong_again_and_again_is_a_named_error(tmp_path: Path, safety: dict[str, Any], words: str) -> None:
    recorder = Recorder()
    with pytest.raises(MedUSISError, match=words) as caught:
        train(tiny_training(tmp_path, safety=safety), recorder)
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert "learning rates" in caught.value.hint
    assert len(recorder.metrics.get("rollbacks", [])) == safety["rollbacks"]


def test_a_checkpoint_in_the_middle_of_trouble_is_not_gone_back_to(tmp_path: Path) -> None:
    # The discriminator "wins" in every step of the second phase, from iteration 4 on, and is found out at 7.
    safety = {"saturated_below": 100, "saturated_steps": 4, "rollbacks": 1}
    phases = [phase.model_dump() | {"iterations": 4} for phase in tiny_training(tmp_path / "a").phases]
    recorder = Recorder()
    with pytest.raises(MedUSISError, match="won"):
        train(tiny_training(tmp_path, safety=safety, phases=phases, checkpoint_every=2), recorder)
    assert "back to iteration 4" in dict(recorder.warnings)["ROLLED_BACK"]
    assert state_of(tmp_path / "run")["iteration"] == 6


def test_health_is_lost_by_what_lasts_and_by_what_is_no_number() -> None:
    watch = HealthWatch(SafetySettings(vanished_steps=3, saturated_steps=2))
    fine, flat = {"loss": 1.0, "spread": 0.5, "discriminator": 1.4}, {"loss": 1.0, "spread": 0.0}
    assert [watch.trouble(flat), watch.trouble(flat), watch.trouble(fine), watch.trouble(flat)] == [None] * 4
    assert not watch.calm
    other = HealthWatch(watch.settings)
    other.restore(watch.state())
    assert [other.trouble(flat), other.trouble(flat)] == [None, Trouble.VANISHED]
    for bad in (math.nan, math.inf, -1e7):
        assert HealthWatch(watch.settings).trouble({"loss": bad}) is Trouble.DIVERGED


STALLED: dict[str, Any] = {
    "phases": [
        {"name": "first", "iterations": 2, "l1": 1, "ema": 0},
        {"name": "second", "iterations": 40, "l1": 1, "ema": 0, "generator_rate": 1e-12},
    ],
    "validate_every": 2,
    "checkpoint_every": 3,
    "selection": {"criterion": "absolute_error", "patience": 2, "smallest_gain": 0.05},
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory):
    recorder = Recorder()
    return train(tiny_training(tmp_path_factory.mktemp("stopped"), **STALLED), recorder), recorder


def test_a_training_that_gets_no_better_ends_with_its_best_state(stopped) -> None:
    result, recorder = stopped
    # Judged from the second phase on: 4 is the best, 6 and 8 are not better.
    assert state_of(result.out)["iteration"] == 8
    assert state_of(result.out, BEST)["iteration"] == 4 == result.iterations
    assert "best is of iteration 4" in dict(recorder.warnings)["STOPPED_EARLY"]
    training = load_bundle(result.bundle).manifest.settings["training"]
    assert (training["iterations"], training["chosen as the best by"]) == (4, "absolute_error")


def test_an_early_stop_comes_at_the_same_place_after_an_interruption(stopped, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError):
        train(tiny_training(tmp_path, **STALLED), Recorder(cancel_after=4 + 7))
    assert state_of(tmp_path / "run")["iteration"] == 6
    resumed = train(tiny_training(tmp_path, **STALLED, resume=True), Recorder())
    assert state_of(resumed.out)["iteration"] == 8
    assert_same_networks(resumed.out, stopped[0].out)
    assert resumed.figures == stopped[0].figures
    weights = [load_bundle(result.bundle).manifest.files["weights.safetensors"] for result in (resumed, stopped[0])]
    assert weights[0] == weights[1]
    # Asked again, an ended training does not go on.
    assert train(tiny_training(tmp_path, **STALLED, resume=True), Recorder()).iterations == 4


def test_the_last_state_is_exported_unless_asked_otherwise(tmp_path: Path) -> None:
    assert not SelectionSettings().exports_best
    assert SelectionSettings(patience=3).exports_best
    assert not SelectionSettings(patience=3, export="last").exports_best


@pytest.mark.parametrize(
    ("criterion", "worse", "better"),
    [
        ("mean_error", 0.2, 0.1),
        ("correlation", 0.5, 0.9),
        ("high_frequency", 0.4, 1.2),
        ("diversity", 1.5, 0.8),
        ("mean_error", math.nan, 9.0),
    ],
)
def test_better_is_what_the_criterion_says(criterion: Any, worse: float, better: float) -> None:
    selection = Selection(SelectionSettings(criterion=criterion))
    selection.better({criterion: worse}, 1)
    assert selection.better({criterion: better}, 2)
    assert not selection.better({criterion: worse}, 3)
    assert (selection.iteration, selection.waited) == (2, 1)
