"""Fine-tuning without a window: cases in words, configurations, readiness, runs, and whether it goes well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from fine_tune_doubles import FakeRunStore, hospital, scanned, status_of, write_job, write_log
from PIL import Image
from tiny_generator import tiny_manifest

from MedUSISLib.dataset.editing import edited, set_split, use_case
from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.generators.catalogue import find_bundle
from MedUSISLib.generators.manifest import read_manifest
from MedUSISLib.mrml.curves_picture import draw, write_png
from MedUSISLib.mrml.fine_tune_curves import last_iteration, panels_of
from MedUSISLib.mrml.fine_tune_data import DatasetView, summary, view_of
from MedUSISLib.mrml.fine_tune_figures import CRITERIA, FIGURES, best
from MedUSISLib.mrml.fine_tune_readiness import TrainingNeeds, check
from MedUSISLib.mrml.fine_tune_runs import RunFacts, RunList, facts_of, hint_of
from MedUSISLib.mrml.fine_tune_settings import (
    FROZEN,
    LENGTHS,
    OWN,
    FineTuneSettings,
    configuration_file,
    specification,
)
from MedUSISLib.mrml.fine_tune_verdict import verdict
from MedUSISLib.mrml.sample_picture import folded
from MedUSISLib.resources import resource_path
from MedUSISLib.runs.status import RunState
from MedUSISLib.training.configuration import read_configuration
from MedUSISLib.training.dataset_data import with_dataset
from MedUSISLib.training.log import read_log
from MedUSISLib.training.selection import Criterion


@pytest.fixture(scope="module")
def hospital_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hospital(tmp_path_factory.mktemp("hospital") / "data")


@pytest.fixture(scope="module")
def scan_once(hospital_folder: Path) -> Path:
    return scanned(hospital_folder, hospital_folder.parent / "scan")


@pytest.fixture
def scan(scan_once: Path) -> Iterator[Path]:
    """The scan; what a test changes in it is put back."""
    text = (scan_once / "dataset.json").read_text()
    yield scan_once
    (scan_once / "dataset.json").write_text(text)


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(find_bundle("head-t1w"))


def view(scan: Path) -> DatasetView:
    return view_of(load_dataset(scan))


def codes(found: list[Any], blocking: bool | None = None) -> set[str]:
    return {finding.code for finding in found if blocking in (None, finding.blocking)}


class TestData:
    def test_rows_say_what_a_case_holds_and_whose_it_is(self, scan: Path) -> None:
        rows = {row.person: row for row in view(scan).rows}
        assert {person: row.holds for person, row in rows.items()} == {
            "P001": "MR T1w",
            "P002": "MR T1w",
            "P003": "MR T1w",
            "P004": "CT, segmentation",
            "P005": "CT, (segmentation left out)",
            "P006": "file in no case",
        }
        assert rows["P003"].split == "validation" and rows["P001"].used
        assert rows["P001"].pictures[0].is_file() and rows["P004"].files[0].endswith("ct.nii.gz")

    def test_problems_are_in_words_with_what_to_do_here(self, scan: Path) -> None:
        rows = {row.person: row for row in view(scan).rows}
        (problem,) = rows["P005"].problems
        assert problem.severity == "error" and "values" in problem.text
        for row in rows.values():
            for line in row.problems:
                assert "dataset.json" not in line.advice and "--" not in line.advice and line.text[0].isupper()
        assert rows["P006"].worst == "error" and not rows["P006"].changeable and not rows["P006"].used

    def test_the_summary_counts_what_is_used(self, scan: Path) -> None:
        assert summary(view(scan)) == (
            "5 of 5 cases are used. To learn from: 2 MRs, 1 segmentation, 1 CT without one (4 people). "
            "To be judged on: 1 MR (1 person)."
        )
        mr = next(row for row in view(scan).rows if row.person == "P001")
        after = view_of(edited(scan, partial(use_case, case_id=mr.key, use=False)))
        assert "4 of 5 cases" in summary(after) and after.sides_of("T1w") == {"train": 1, "validation": 1}


class TestSettings:
    def test_names_of_the_window_are_those_of_the_configuration(self) -> None:
        from MedUSISLib.training.fine_tuning import Frozen

        assert set(FROZEN) == set(get_args(Frozen))
        assert set(get_args(Criterion)) <= set(CRITERIA) | {"diversity"}

    def test_a_length_is_recognised(self) -> None:
        settings = FineTuneSettings()
        assert settings.length == "normal" and settings.with_length("long").length == "long"
        assert replace(settings, second_iterations=7).length == OWN
        assert [sum(LENGTHS[name]) for name in ("short", "normal", "long")] == [300, 660, 3060]

    def test_the_job_is_what_was_chosen(self, scan: Path, manifest, tmp_path: Path) -> None:
        settings = FineTuneSettings(
            name="knees", sequence="T1w", first_iterations=3, second_iterations=5, device="cpu", frozen="early_blocks",
            rate_factor=0.1, batch_size=2, patience=0, criterion="correlation", seed=7, folder=tmp_path,
        )  # fmt: skip
        job = specification(settings, manifest, scan / "dataset.json")
        training = job.request()
        assert (job.kind, training.name, training.out, training.cache) == (
            "train", "knees", tmp_path / "knees", tmp_path / "cache",
        )  # fmt: skip
        assert (training.device, training.batch_size, training.seed) == ("cpu", 2, 7)
        assert [phase.iterations for phase in training.phases] == [3, 5]
        assert training.start_from.model_dump(include={"generator", "frozen", "rate_factor"}) == {
            "generator": "head-t1w", "frozen": "early_blocks", "rate_factor": 0.1,
        }  # fmt: skip
        assert training.selection.criterion == "correlation" and training.selection.patience is None
        assert training.selection.exports_best and training.data.sequence == "T1w"
        assert training.data.crop == (256, 192) and training.data.field_of_view == (256, 256)
        resolved = with_dataset(training)
        assert {image.person: image.split for image in resolved.data.images} == {
            "P001": "train", "P002": "train", "P003": "validation",
        }  # fmt: skip

    def test_slices_are_those_of_the_parent(self, scan: Path, tmp_path: Path) -> None:
        job = specification(FineTuneSettings(folder=tmp_path), tiny_manifest(size=(64, 48)), scan / "dataset.json")
        training = job.request()
        assert training.data.crop == (48, 64) and training.discriminator_crop == 48
        assert training.data.views == {"axial": 0.8} and training.data.sequence is None

    def test_a_saved_file_runs_elsewhere(self, hospital_folder: Path, manifest, tmp_path: Path) -> None:
        home = tmp_path / "a"
        data = hospital(home / "data")
        scanned(data, home / "scan")
        file = home / "server" / "tune.yaml"
        file.parent.mkdir()
        settings = FineTuneSettings(device="cuda:1", folder=tmp_path / "nowhere")
        file.write_text(configuration_file(settings, manifest, home / "scan" / "dataset.json", file))
        assert str(tmp_path) not in file.read_text()
        home.rename(tmp_path / "b")
        there = tmp_path / "b" / "server"
        training = read_configuration(there / "tune.yaml")
        assert training.device == "auto" and training.out == there / "my-head-t1w"
        assert len(with_dataset(training).data.images) == 3
        template = yaml.safe_load(resource_path("Training", "fine-tune-head-t1w.yaml").read_text())
        assert yaml.safe_load((there / "tune.yaml").read_text())["phases"] == template["phases"]


class TestReadiness:
    def ready(self, scan: Path, manifest, tmp_path: Path, **changes: Any) -> list[Any]:
        settings = FineTuneSettings(folder=tmp_path, **changes)
        return check(view(scan), settings, manifest)

    def test_nothing_blocks_a_good_dataset(self, scan: Path, manifest, tmp_path: Path) -> None:
        found = self.ready(scan, manifest, tmp_path)
        assert codes(found, True) == set() and codes(found) == {"UNMAPPED_LABELS", "FEW_MR"}

    def test_without_data_the_first_word_is_to_scan(self, manifest, tmp_path: Path) -> None:
        found = check(None, FineTuneSettings(folder=tmp_path), manifest)
        assert found[0].code == "NO_DATASET" and found[0].blocking

    @pytest.mark.parametrize(("side", "code"), [("train", "NO_MR_VALIDATION"), ("validation", "NO_MR_TRAINING")])
    def test_a_side_without_mr_blocks(self, scan: Path, manifest, tmp_path: Path, side: Any, code: str) -> None:
        for person in ("P001", "P002", "P003"):
            edited(scan, partial(set_split, person=person, split=side))
        assert codes(self.ready(scan, manifest, tmp_path), True) == {code}

    def test_a_sequence_that_nobody_has_blocks(self, scan: Path, manifest, tmp_path: Path) -> None:
        assert "NO_MR_TRAINING" in codes(self.ready(scan, manifest, tmp_path, sequence="FLAIR"), True)

    @pytest.mark.parametrize(
        ("name", "code"), [("", "NAME"), ("My Knees", "NAME"), ("head-t1w", "NAME"), ("taken", "NAME_TAKEN")]
    )
    def test_names_are_checked(self, scan: Path, manifest, tmp_path: Path, name: str, code: str) -> None:
        settings = FineTuneSettings(name=name, folder=tmp_path)
        assert code in codes(check(view(scan), settings, manifest, {"taken"}), True)

    def test_a_folder_of_an_earlier_training_is_not_written_into(self, scan: Path, manifest, tmp_path: Path) -> None:
        (tmp_path / "my-head-t1w").mkdir()
        assert codes(self.ready(scan, manifest, tmp_path), True) == {"OUT_IN_USE"}

    def test_disk_and_memory(self, scan: Path, manifest, tmp_path: Path) -> None:
        settings = FineTuneSettings(folder=tmp_path)
        tight = TrainingNeeds(4_000_000_000, 3_000_000_000, 60)
        found = check(view(scan), settings, manifest, (), (10_000_000_000, 8_000_000_000), tight)
        assert {"DISK_FULL", "MEMORY_TIGHT"} <= codes(found, False)
        assert "DISK_FULL" in codes(check(view(scan), settings, manifest, (), (10, 1)), True)

    def test_three_dimensional_generators_and_missing_ones_are_named(self, scan: Path, tmp_path: Path) -> None:
        settings = FineTuneSettings(folder=tmp_path)
        assert "GENERATOR_NOT_FOUND" in codes(check(view(scan), settings, None), True)
        deep = tiny_manifest().model_copy(update={"spatial_dims": 3})
        assert "GENERATOR_3D" in codes(check(view(scan), settings, deep), True)


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


class TestRuns:
    def test_hints_name_no_line_of_a_configuration(self, tmp_path: Path) -> None:
        failed = status_of(
            tmp_path, "a", "a", code="OUT_OF_MEMORY", hint="choose a smaller data.crop or network, precision bf16-mixed"
        )
        assert "close other programs" in hint_of(failed)
        assert hint_of(replace(failed, hint="free some space")) == "free some space"
        paused = replace(failed, hint="resume goes on from there (medusis train --resume)")
        assert hint_of(paused) == "resume goes on from there"

    def test_facts_come_from_the_job_and_are_open_without_one(self, tmp_path: Path) -> None:
        write_job(tmp_path)
        assert facts_of(tmp_path) == FACTS and FACTS.first_judgement == 250
        (tmp_path / "job.json").write_text("{")
        assert facts_of(tmp_path) == RunFacts()

    def test_each_state_offers_what_makes_sense(self, tmp_path: Path) -> None:
        store = FakeRunStore()
        run = store.add(tmp_path / "out")
        runs = RunList(lambda: store)
        offered = {}
        for state in RunState:
            run.change(state=state)
            offered[state.value] = runs.refresh(everything=True)[0].actions
        assert offered["running"] == {"pause", "finish", "stop"}
        assert offered["paused"] == {"resume", "finish", "stop", "remove"}
        assert offered["finished"] == {"remove"} and offered["stopping"] == frozenset()
        run.change(state=RunState.FINISHED, bundle=tmp_path)
        assert "use" in runs.refresh(everything=True)[0].actions
        run.change(state=RunState.RUNNING, iteration=None)
        assert "finish" not in runs.refresh(everything=True)[0].actions

    def test_only_runs_that_can_change_are_asked_again(self, tmp_path: Path) -> None:
        store = FakeRunStore()
        done = store.add(tmp_path / "a", state=RunState.FINISHED)
        going = store.add(tmp_path / "b")
        runs = RunList(lambda: store)
        for _ in range(3):
            assert [line.title for line in runs.refresh()] == ["running", "finished"]
        assert (done.looks, going.looks) == (1, 3)

    def test_a_log_is_read_again_only_when_something_was_added(self, tmp_path: Path) -> None:
        store = FakeRunStore()
        store.add(tmp_path / "out")
        runs = RunList(lambda: store)
        (line,) = runs.refresh()
        assert runs.log(line.id)[1] and not runs.log(line.id)[1]
        write_log(tmp_path / "out", [{"iteration": 10, "rate": 1.0, "phase": "l1", "l1": 0.5}])
        log, added = runs.log(line.id)
        assert added and log.losses == {"l1": [(10, 0.5)]}

    def test_waiting_runs_say_their_place_and_interrupted_ones_that(self, tmp_path: Path) -> None:
        store = FakeRunStore()
        run = store.add(tmp_path / "out", state=RunState.QUEUED, position_in_queue=2)
        runs = RunList(lambda: store)
        assert runs.refresh()[0].title == "waiting, number 2"
        run.change(state=RunState.PAUSED, message="interrupted at iteration 40")
        assert runs.refresh()[0].title == "interrupted"

    def test_the_real_store_of_this_user_is_opened_without_starting_anything(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from MedUSISLib.mrml.fine_tune_runs import open_run_store

        monkeypatch.setenv("MEDUSIS_RUNS", str(tmp_path / "runs"))
        assert list(open_run_store().runs()) == [] and not (tmp_path / "runs").exists()


def test_nothing_of_it_needs_more_than_slicer_has_until_the_packages_are_there() -> None:
    """The window's own modules import these at the top, before anything is installed."""
    import subprocess
    import sys

    script = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name)
BLOCKED = {"pydantic", "psutil", "yaml", "skimage", "nibabel", "monai", "torch", "matplotlib", "safetensors"}
sys.meta_path.insert(0, Block())
from MedUSISLib.mrml import (curves_picture, fine_tune_curves, fine_tune_data, fine_tune_figures, fine_tune_readiness,
                             fine_tune_runs, fine_tune_settings, fine_tune_verdict)
fine_tune_readiness.check(None, fine_tune_settings.FineTuneSettings(), None)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
