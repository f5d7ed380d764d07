"""Fine-tuning without a window: cases in words, configurations, readiness and runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from fine_tune_doubles import FakeRunStore, hospital, scanned, status_of, write_job, write_log
from tiny_generator import tiny_manifest

from MedUSISLib.dataset.editing import edited, set_split, use_case
from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.generators.catalogue import find_bundle
from MedUSISLib.generators.manifest import read_manifest
from MedUSISLib.mrml.fine_tune_data import DatasetView, summary, view_of
from MedUSISLib.mrml.fine_tune_figures import CRITERIA
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
from MedUSISLib.resources import resource_path
from MedUSISLib.runs.status import RunState
from MedUSISLib.training.configuration import read_configuration
from MedUSISLib.training.dataset_data import with_dataset
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
        facts = RunFacts("head-t1w", "mean_error", 1200, 200, 50)
        assert facts_of(tmp_path) == facts and facts.first_judgement == 250
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
