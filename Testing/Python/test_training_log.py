"""The log of a training is read while it is being written, and shows what became of it, not what was undone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from MedUSISLib.training.log import append_to_log, read_log


def step(iteration: int, loss: float, phase: str = "l1", **more: Any) -> dict[str, Any]:
    return {"iteration": iteration, "phase": phase, "rate": 2.0, "loss": loss, **more}


@pytest.fixture
def log(tmp_path: Path):
    path = tmp_path / "log.jsonl"

    def write(*entries: dict[str, Any]) -> Path:
        for entry in entries:
            append_to_log(path, entry)
        return path

    return write


def test_everything_that_a_training_says_is_found(log) -> None:
    path = log(
        {"iteration": 0, "estimated_memory_gb": 1.5, "free_gb": 4.0, "estimated_hours": 0.5},
        {"iteration": 0, "before": True, "validation": {"mean_error": 0.2}},
        step(10, 0.5, gradient=1.0),
        step(20, 0.4),
        {
            "iteration": 20,
            "validation": {"mean_error": 0.1, "ssim": 0.8},
            "yardsticks": {"frechet_between_people": 3.0},
        },
        {"iteration": 25, "out_of_memory": True, "accumulate": 2},
        step(30, 0.3, "adversarial", discriminator=1.2),
    )
    found = read_log(path.parent)
    assert found.losses["loss"] == [(10, 0.5), (20, 0.4), (30, 0.3)]
    assert found.losses["discriminator"] == [(30, 1.2)]
    assert found.validations == [(0, {"mean_error": 0.2}), (20, {"mean_error": 0.1, "ssim": 0.8})]
    assert found.yardsticks == {"frechet_between_people": 3.0}
    assert found.before == {"mean_error": 0.2}
    assert found.phases == [(10, "l1"), (30, "adversarial")]
    assert found.estimate == {"estimated_memory_gb": 1.5, "free_gb": 4.0, "estimated_hours": 0.5}
    assert found.accumulate == 2
    assert found.iteration == 30


def test_a_line_that_is_not_whole_is_left_out_and_the_next_one_stands_alone(log) -> None:
    path = log(step(10, 0.5))
    with path.open("a") as file:
        file.write('{"iteration": 20, "phase": "l1", "ra')
    assert read_log(path).losses == {"loss": [(10, 0.5)]}
    log(step(20, 0.4))  # continued after the crash
    assert read_log(path).losses == {"loss": [(10, 0.5), (20, 0.4)]}


def test_what_a_continued_training_says_again_stands_once(log) -> None:
    entries = [step(n, 1 / n) for n in (10, 20, 30, 40)]
    path = log(*entries, {"iteration": 40, "validation": {"ssim": 0.5}}, *entries[2:], step(50, 0.02))
    found = read_log(path)
    assert [n for n, _ in found.losses["loss"]] == [10, 20, 30, 40, 50]
    assert found.validations == []  # the second time it has not come to it yet
    path = log({"iteration": 50, "validation": {"ssim": 0.6}}, {"iteration": 50, "validation": {"ssim": 0.7}})
    assert read_log(path).validations == [(50, {"ssim": 0.7})]


def test_what_a_roll_back_undid_is_not_in_the_curves(log) -> None:
    path = log(
        step(10, 0.5),
        {"iteration": 10, "validation": {"ssim": 0.5}},
        step(20, 9.0, "adversarial"),
        {"iteration": 10, "rolled_back_from": 27, "trouble": "diverged", "rate_factor": 0.5},
        step(20, 0.4, "adversarial"),
    )
    found = read_log(path)
    assert found.losses["loss"] == [(10, 0.5), (20, 0.4)]
    assert found.validations == [(10, {"ssim": 0.5})]
    assert found.phases == [(10, "l1"), (20, "adversarial")]
    (one,) = found.rollbacks
    assert (one.iteration, one.back_to, one.trouble, one.rate_factor) == (27, 10, "diverged", 0.5)


def test_going_back_to_the_best_state_at_the_end_undoes_nothing(log) -> None:
    path = log(step(10, 0.5), step(20, 0.4), {"iteration": 10, "chosen": True, "validation": {"ssim": 0.5}})
    found = read_log(path)
    assert found.losses["loss"] == [(10, 0.5), (20, 0.4)]
    assert (found.chosen, found.iteration) == (10, 20)


def test_damaged_and_foreign_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [
        b"\xff\xfe",
        b"[1]",
        b'{"iteration": "x"}',
        b'{"iteration": 5, "rate": null}',
        json.dumps(step(10, 1.0)).encode(),
    ]
    path.write_bytes(b"\n".join(lines))
    assert read_log(path).losses == {"loss": [(10, 1.0)]}
    assert read_log(tmp_path / "nothing").losses == {}


def test_reading_loads_no_torch() -> None:
    script = "import sys, MedUSISLib.training.log; assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
