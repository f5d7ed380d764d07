"""Whether a training goes well, in a word, in curves and in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fine_tune_doubles import status_of, write_log
from PIL import Image

from MedUSISLib.mrml.curves_picture import draw, write_png
from MedUSISLib.mrml.fine_tune_curves import last_iteration, panels_of
from MedUSISLib.mrml.fine_tune_figures import FIGURES, best
from MedUSISLib.mrml.fine_tune_runs import RunFacts
from MedUSISLib.mrml.fine_tune_verdict import verdict
from MedUSISLib.mrml.sample_picture import folded
from MedUSISLib.runs.status import RunState
from MedUSISLib.training.log import read_log

FACTS = RunFacts("head-t1w", "mean_error", 1200, 200, 50)


def log_of(folder: Path, *values: float, before: float | None = 0.04, **figures: float):
    """Checks every 50 iterations after the first phase, with these values of the criterion."""
    entries: list[dict[str, Any]] = []
    if before is not None:
        entries.append({"iteration": 0, "before": True, "validation": {"mean_error": before, "checkerboard": 5.0}})
    for number, value in enumerate(values):
        iteration = 250 + 50 * number
        entries.append({"iteration": iteration, "phase": "adversarial", "rate": 1.0, "l1": 0.1, "discriminator": 1.3})
        entries.append({"iteration": iteration, "validation": {"mean_error": value, "correlation": 0.97, **figures}})
    write_log(folder, entries)
    return read_log(folder)


class TestVerdict:
    def say(self, folder: Path, *values: float, status: dict[str, Any] | None = None, **log: Any):
        return verdict(status_of(folder, "a", "a", **(status or {})), log_of(folder, *values, **log), FACTS)

    def test_better_than_the_parent_goes_well(self, tmp_path: Path) -> None:
        found = self.say(tmp_path, 0.05, 0.039)
        assert found.level == "ok" and found.title == "Going well"
        assert "0.0390" in found.sentence and "head-t1w had 0.0400" in found.sentence

    def test_it_is_too_early_before_the_last_phase_is_judged(self, tmp_path: Path) -> None:
        found = self.say(tmp_path)
        assert found.title == "Too early to say" and "250" in found.sentence

    def test_not_better_after_three_checks_wants_a_look(self, tmp_path: Path) -> None:
        assert self.say(tmp_path / "a", 0.05, 0.05).level == "unknown"
        assert self.say(tmp_path / "b", 0.05, 0.05, 0.045).level == "look"

    def test_getting_worse_wants_a_look_although_it_was_better_once(self, tmp_path: Path) -> None:
        found = self.say(tmp_path / "a", 0.03, 0.05)
        assert found.level == "look" and "best at iteration 250 (0.0300)" in found.sentence
        assert "worse now (0.0500)" in found.sentence and "finish now" in found.sentence
        done = {"state": RunState.FINISHED}  # the best state became the generator
        assert self.say(tmp_path / "b", 0.03, 0.05, status=done).title == "Went well"

    def test_swapped_classes_and_patterns_want_a_look_although_the_criterion_is_good(self, tmp_path: Path) -> None:
        assert "changed places" in self.say(tmp_path / "a", 0.01, correlation=0.5).sentence
        assert "pattern" in self.say(tmp_path / "b", 0.01, checkerboard=11.0).sentence
        warned = {"warnings": (("CLASSES_SWAPPED", "'Fat' is drawn darker than 'Bone'"),)}
        assert self.say(tmp_path / "c", 0.01, status=warned).level == "look"

    def test_going_back_wants_a_look(self, tmp_path: Path) -> None:
        log_of(tmp_path, 0.03)
        write_log(tmp_path, [{"iteration": 250, "rolled_back_from": 310, "trouble": "diverged", "rate_factor": 0.5}])
        found = verdict(status_of(tmp_path, "a", "a"), read_log(tmp_path), FACTS)
        assert found.level == "look" and "once (diverged)" in found.sentence

    def test_an_error_and_a_loss_that_is_no_number_went_wrong(self, tmp_path: Path) -> None:
        failed = {"state": RunState.FAILED, "message": "the disk is full"}
        found = self.say(tmp_path / "a", 0.03, status=failed)
        assert (found.level, found.sentence) == ("worry", "The disk is full.")
        write_log(tmp_path / "b", [{"iteration": 10, "rate": 1.0, "phase": "l1", "l1": float("nan")}])
        assert verdict(status_of(tmp_path, "a", "a"), read_log(tmp_path / "b"), FACTS).level == "worry"

    def test_at_the_end_it_is_said_whether_the_new_one_is_better(self, tmp_path: Path) -> None:
        done = {"state": RunState.FINISHED}
        assert self.say(tmp_path / "a", 0.03, status=done).title == "Went well"
        assert "before you use it" in self.say(tmp_path / "b", 0.05, status=done).sentence

    def test_without_a_parent_the_first_check_is_compared_with(self, tmp_path: Path) -> None:
        assert "the first check" in self.say(tmp_path, 0.05, 0.04, before=None).sentence

    def test_waiting_and_stopped_say_so(self, tmp_path: Path) -> None:
        assert self.say(tmp_path / "a", status={"state": RunState.QUEUED, "position_in_queue": 2}).title == "Waiting"
        assert self.say(tmp_path / "b", status={"state": RunState.STOPPED}).title == "Stopped"

    def test_which_way_is_better(self) -> None:
        assert best([(10, 0.5), (20, 1.1), (30, 1.4)], "high_frequency") == (20, 1.1)
        assert best([(10, 0.5), (20, 0.9)], "correlation") == (20, 0.9)
        assert best([(10, float("nan"))], "mean_error") is None
        assert FIGURES["frechet"].cost(1.0) < FIGURES["frechet"].cost(2.0)


class TestCurves:
    def test_the_panels_hold_the_checks_the_parent_and_the_losses(self, tmp_path: Path) -> None:
        log = log_of(tmp_path, 0.05, 0.03, 0.035, high_frequency=0.8)
        criterion, detail, losses = panels_of(log, FACTS)
        assert [y for _, y in criterion.lines[0].points] == [0.04, 0.05, 0.03, 0.035]
        assert criterion.star == (300, 0.03) and criterion.levels[0].value == 0.04
        assert "Fine detail" in detail.title and {line.name for line in losses.lines} == {"L1", "discriminator"}
        assert last_iteration(log, FACTS) == 1200 and last_iteration(log, RunFacts()) == 350

    def test_a_training_that_has_said_nothing_has_no_curves(self, tmp_path: Path) -> None:
        assert panels_of(read_log(tmp_path), FACTS) == []

    def test_the_picture_shows_the_curve_where_it_is(self, tmp_path: Path) -> None:
        panels = panels_of(log_of(tmp_path, 0.05, 0.03), FACTS)
        image = draw(panels, 1200, width=300, scale=1)
        assert image.width == 300
        blue = [x for x in range(300) for y in range(image.height) if image.getpixel((x, y)) == (0, 90, 181)]
        assert blue and max(blue) < 150  # it has come to iteration 300 of 1200

    @pytest.mark.parametrize("values", [(0.05, 0.05, 0.05), (0.0,), (-1.0, 3000.0), (float("inf"), 0.1)])
    def test_odd_values_can_be_drawn(self, tmp_path: Path, values: tuple[float, ...]) -> None:
        path = write_png(panels_of(log_of(tmp_path, *values), FACTS), 300, tmp_path / "curves.png")
        assert Image.open(path).size[0] == 800 and [p.name for p in tmp_path.glob("*.tmp")] == []


class TestSamples:
    def test_a_wide_grid_is_folded_and_nothing_of_it_is_lost(self, tmp_path: Path) -> None:
        wide = Image.new("RGB", (80, 30), (200, 0, 0))
        wide.paste((0, 0, 200), (40, 0, 80, 30))
        wide.save(tmp_path / "grid.png")
        path = folded(tmp_path / "grid.png", tmp_path / "shown.png")
        with Image.open(path) as picture:
            assert picture.width == 40 and picture.height > 60
            assert picture.getpixel((20, 5)) == (200, 0, 0)
            assert picture.getpixel((20, picture.height - 5)) == (0, 0, 200)

    def test_a_high_one_stays_and_a_half_written_one_is_said(self, tmp_path: Path) -> None:
        Image.new("RGB", (30, 30)).save(tmp_path / "grid.png")
        assert folded(tmp_path / "grid.png", tmp_path / "shown.png") == tmp_path / "grid.png"
        (tmp_path / "half.png").write_bytes((tmp_path / "grid.png").read_bytes()[:40])
        with pytest.raises(OSError):
            folded(tmp_path / "half.png", tmp_path / "shown.png")
