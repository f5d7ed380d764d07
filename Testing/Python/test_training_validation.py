"""Judging a training: figures, yardsticks, before and after, TensorBoard, swapped classes; on made heads and on CPU."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from training_example import Recorder, tiny_training

from MedUSISLib.anatomy.schema import LabelClass, LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.training.health import HealthWatch, SafetySettings, Trouble
from MedUSISLib.training.log import read_log
from MedUSISLib.training.resegmentation import Resegmentation, mean_dice
from MedUSISLib.training.run import TrainingResult, train
from MedUSISLib.training.run_log import RunLog
from MedUSISLib.training.selection import Selection, SelectionSettings
from MedUSISLib.training.validation import Judge
from MedUSISLib.training.validation_slices import ValidationSlices

CPU = torch.device("cpu")
L1 = {"name": "l1", "iterations": 10, "l1": 1}
FIGURES = {
    "mean_error", "correlation", "high_frequency", "checkerboard", "absolute_error", "resegmentation_dice",
    "frechet", "ssim", "psnr", "diversity",
}  # fmt: skip


#: The slices of the made training are 64 x 64: too small for texture.
OF_SMALL_SLICES = FIGURES - {"frechet"}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Recorder]:
    folder = tmp_path_factory.mktemp("judged")
    parent = train(tiny_training(folder / "parent", phases=[L1], validate_every=5), Recorder())
    recorder = Recorder()
    settings = {"start_from": str(parent.bundle), "network": {}, "phases": [L1], "name": "tuned", "validate_every": 5}
    return train(tiny_training(folder / "tuned", **settings), recorder), recorder


def test_every_validation_has_all_figures_with_their_yardsticks(tuned) -> None:
    result, recorder = tuned
    log = read_log(result.out)
    assert [iteration for iteration, _ in log.validations] == [0, 5, 10]
    for _, figures in log.validations:
        assert figures.keys() == OF_SMALL_SLICES
        assert all(np.isfinite(value) for value in figures.values())
    assert recorder.metrics["validation_ssim"] == pytest.approx([f["ssim"] for _, f in log.validations], abs=1e-5)
    results = load_bundle(result.bundle).manifest.results
    assert results["held_out"].keys() == OF_SMALL_SLICES
    assert results["yardsticks"].keys() == {"checkerboard_real", "resegmentation_dice_real"}
    assert (results["samples"]["people"], results["samples"]["slices"]) == (1, 16)
    assert results["resegmentation"]["white_matter"].keys() == {"synthetic", "real"}


def test_a_fine_tuning_is_compared_with_its_parent_on_the_same_slices(tuned) -> None:
    result, _ = tuned
    assert (result.out / "samples" / "000000.png").is_file()
    log = read_log(result.out)
    bundle = load_bundle(result.bundle)
    change = bundle.manifest.results["parent"]
    assert change["before"] == log.before == dict(log.validations)[0]
    assert change["after"] == dict(log.validations)[10]
    assert change["id"] == "tiny 0.1.0" and change["iteration"] == 10
    card = bundle.model_card
    assert "| | tiny 0.1.0 | this generator | real slices |" in card
    before, after = (f"{change[when]['ssim']:.3f}" for when in ("before", "after"))
    assert f"| {before} | {after} | 1 |" in card


def test_the_card_says_people_files_and_that_the_owner_states_the_licence(tuned) -> None:
    result, _ = tuned
    manifest = load_bundle(result.bundle).manifest
    own = manifest.training_data[0]
    assert own.licence == "owner to state" and own.subjects == 3
    assert own.use.startswith("2 people for training (2 MR, 1 label maps or CT without MR); 1 person held out")


def events_of(folder: Path) -> dict[str, list[tuple[int, object]]]:
    """Entries of all event files: length, checksum of it, entry, checksum - as TensorBoard reads them."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, list[tuple[int, object]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + length])
            place += 12 + length + 4
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                found.setdefault(value.tag, []).append((event.step, getattr(value, kind)))
    return found


def test_tensorboard_shows_what_the_log_says(tuned) -> None:
    result, _ = tuned
    log, events = read_log(result.out), events_of(result.out / "tensorboard")
    assert events["losses/l1"] == [(n, pytest.approx(v, abs=1e-5)) for n, v in log.losses["l1"]]
    for name in OF_SMALL_SLICES:
        expected = [(n, pytest.approx(figures[name], abs=2e-5)) for n, figures in log.validations]
        assert events[f"validation/{name}"] == expected
    steps, pictures = zip(*events["samples"], strict=True)
    assert steps == (0, 5, 10)
    assert all(picture.encoded_image_string.startswith(b"\x89PNG") for picture in pictures)
    assert (pictures[0].height, pictures[0].width) == (3 * 64, 8 * 64)


def test_without_the_package_a_training_works_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    recorder = Recorder()
    log = RunLog(tmp_path, recorder)
    log.start(0)
    log.losses(10, 20, "l1", 2.0, {"l1": 0.5})
    log.start(10)
    log.close()
    assert len(recorder.stages) == 1
    assert [stage for stage in recorder.stages if "TensorBoard" in stage] == recorder.stages
    assert read_log(tmp_path).losses == {"l1": [(10, 0.5)]} and not (tmp_path / "tensorboard").exists()


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "out", Recorder(), active=False)
    log.start(0)
    log.losses(10, 20, "l1", 2.0, {"l1": 0.5})
    log.close()
    assert not (tmp_path / "out").exists()


# -- a judge alone, with networks that draw what the test wants ------------------------------------------------------

BRIGHTNESS = np.array([0, 0.6, 0.95, 0.45, 0.15, 0.45, 0.03, 0.2, 0.5, 0.7, 0.6, 0.55, 0.65, 0.2, 0.5, 0.6])


def made_slices(schema: LabelSchema | None = None, people: int = 2, each: int = 4) -> ValidationSlices:
    schema = schema or load_schema("head")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1.1:1.1:224j, -1.1:1.1:192j]
    labels = []
    for _ in range(people * each):
        radius = np.hypot(x / rng.uniform(0.8, 0.95), y / rng.uniform(0.85, 1))
        one = np.zeros(x.shape, np.uint8)
        for limit, name in ((1.0, "skin"), (0.95, "fat"), (0.85, "cortical_bone"), (0.78, "csf"),
                            (0.75, "cortex"), (0.6, "white_matter")):  # fmt: skip
            if name in schema:
                one[radius < limit] = schema.index_of(name)
        labels.append(one)
    stack = np.stack(labels)
    bright = np.array([BRIGHTNESS[min(c.index, 15)] for c in schema.classes])
    images = (bright[stack] + 0.03 * rng.standard_normal(stack.shape)).clip(0, 1.2).astype(np.float32)
    depth = np.tile(np.linspace(20, 80, each), people)
    return ValidationSlices(stack, images, np.repeat(np.arange(people), each), depth)


class Painted(torch.nn.Module):
    def __init__(self, means: np.ndarray) -> None:
        super().__init__()
        self.means = torch.nn.Parameter(torch.tensor(means, dtype=torch.float32))

    def forward(self, onehot: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        return torch.einsum("bchw,c->bhw", onehot, self.means)[:, None] * (2 / 1.2) - 1


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(made_slices(), load_schema("head"), CPU)


def test_real_slices_are_perfect_by_every_figure(judge: Judge) -> None:
    perfect = Judge(judge.slices, judge.schema, CPU, draw=lambda network: judge.slices.images)
    result, _ = perfect(torch.nn.Identity(), 0)
    figures = result.figures()
    assert figures.keys() == FIGURES - {"psnr"}
    assert result.yardsticks().keys() == {"checkerboard_real", "frechet_between_people", "resegmentation_dice_real"}
    assert figures["ssim"] == pytest.approx(1) and figures["absolute_error"] == 0
    assert figures["frechet"] == pytest.approx(0, abs=1e-9)
    assert figures["diversity"] == pytest.approx(1) and figures["high_frequency"] == pytest.approx(1)
    assert figures["resegmentation_dice"] == result.yardsticks()["resegmentation_dice_real"]
    assert figures["checkerboard"] == pytest.approx(result.yardsticks()["checkerboard_real"])


def test_what_is_wrong_with_an_image_is_seen_by_the_figure_that_is_there_for_it(judge: Judge) -> None:
    smooth, _ = judge(Painted(BRIGHTNESS), 0)
    flat, _ = judge(Painted(np.where(np.arange(16) > 0, 0.5, 0)), 0)
    assert smooth.mean_error is not None and smooth.mean_error < 0.01
    assert smooth.high_frequency is not None and smooth.high_frequency < 0.8
    assert smooth.frechet is not None and smooth.frechet_between_people is not None
    assert smooth.frechet > 3 * smooth.frechet_between_people  # no grain
    assert flat.resegmentation_dice is not None and smooth.resegmentation_dice is not None
    assert flat.resegmentation_dice < smooth.resegmentation_dice - 0.2
    assert flat.ssim is not None and smooth.ssim is not None and flat.ssim < smooth.ssim
    assert flat.psnr is not None and smooth.psnr is not None and flat.psnr < smooth.psnr


def test_head_seg_finds_the_brain_of_a_made_head(judge: Judge) -> None:
    found = {row.name: row.dice for row in judge._segmented(judge.slices.images)}
    assert found["white_matter"] is not None and found["white_matter"] > 0.6


def test_swapped_classes_are_named_once_and_only_when_they_stay_so(judge: Judge, tmp_path: Path) -> None:
    swapped = BRIGHTNESS.copy()
    skin, fat, bone = (judge.schema.index_of(name) for name in ("skin", "fat", "cortical_bone"))
    swapped[[fat, bone]] = swapped[[bone, fat]]
    wrong, _ = judge(Painted(swapped), 0)
    right, _ = judge(Painted(BRIGHTNESS), 0)
    assert right.swapped == [] and ("Fat", "Cortical bone") in wrong.swapped
    assert wrong.rank_correlation is not None and right.rank_correlation is not None
    assert wrong.rank_correlation < right.rank_correlation

    def warned(*validations, last: bool = False) -> list[tuple[str, str]]:
        recorder = Recorder()
        log = RunLog(tmp_path, recorder)
        for validation in validations:
            log.warn_of_swaps(validation, last=last)
        return recorder.warnings

    assert warned(wrong, right, wrong) == []
    ((code, text),) = warned(wrong, wrong, wrong)
    assert code == "CLASSES_SWAPPED" and "'Fat' is drawn darker than 'Cortical bone'" in text
    assert len(warned(wrong, last=True)) == 1


def other_schema(extra: str | None, left_out: str | None = None) -> LabelSchema:
    head = load_schema("head")
    classes = [one for one in head.classes if one.name != left_out]
    if extra is not None:
        partner = "white_matter" if extra == "tumour" else None
        classes.append(
            LabelClass(index=0, name=extra, title=extra, color=(1, 2, 3), tissue="other", merges_into=partner)
        )
    again = tuple(one.model_copy(update={"index": number}) for number, one in enumerate(classes))
    return head.model_copy(update={"id": "other", "classes": again})


def test_classes_of_another_schema_go_by_name_and_what_head_seg_cannot_answer_has_no_row() -> None:
    for extra in ("tumour", "foil"):
        schema = other_schema(extra)
        again = Resegmentation(schema, CPU)
        assert again.reason == ""
        labels = made_slices(schema).labels
        reference = labels.copy()
        white = schema.index_of("white_matter")
        reference[:, 100:116, 80:96][reference[:, 100:116, 80:96] == white] = schema.index_of(extra)
        rows = {row.name: row for row in again.rows(reference, labels)}
        assert extra not in rows
        if extra == "tumour":  # counted as what it lies in
            assert rows["white_matter"].dice == 1 and rows["white_matter"].includes == ("tumour",)
    assert mean_dice(list(rows.values())) is not None


def test_a_schema_without_a_class_that_head_seg_answers_has_no_resegmentation_and_says_why() -> None:
    schema = other_schema(None, left_out="csf")
    judge = Judge(made_slices(schema), schema, CPU)
    result, _ = judge(Painted(BRIGHTNESS[: schema.number_of_classes]), 0)
    assert "resegmentation_dice" not in result.figures() and "csf" in result.unavailable
    with pytest.raises(MedUSISError) as caught:
        judge.check("resegmentation_dice")
    assert caught.value.code is ErrorCode.BAD_SETTING and "csf" in caught.value.message
    judge.check("ssim")


def test_slices_too_small_for_patches_leave_the_distance_out() -> None:
    slices = made_slices()
    small = ValidationSlices(slices.labels[:, 90:130, 80:120], slices.images[:, 90:130, 80:120], slices.people)
    judge = Judge(small, load_schema("head"), CPU)
    result, _ = judge(Painted(BRIGHTNESS), 0)
    assert "frechet" not in result.figures()
    with pytest.raises(MedUSISError):
        judge.check("frechet")


def test_coarser_pixels_are_segmented_at_one_millimetre() -> None:
    slices = made_slices(people=1)
    coarse = ValidationSlices(
        slices.labels[:, ::2, ::2], slices.images[:, ::2, ::2], slices.people, slices.depth_mm, pixel_mm=2.0
    )
    judge = Judge(coarse, load_schema("head"), CPU)
    found = {row.name: row.dice for row in judge._segmented(coarse.images)}
    assert found["white_matter"] is not None and found["white_matter"] > 0.5


@pytest.mark.parametrize(
    ("criterion", "worse", "better"),
    [("frechet", 2.0, 1.0), ("checkerboard", 4.0, 1.5), ("resegmentation_dice", 0.5, 0.6), ("ssim", 0.5, 0.6),
     ("psnr", 18.0, 19.0), ("diversity", 1.5, 0.8)],
)  # fmt: skip
def test_every_figure_may_be_the_criterion(criterion, worse: float, better: float) -> None:
    selection = Selection(SelectionSettings(criterion=criterion))
    assert selection.better({criterion: worse}, 1) and selection.better({criterion: better}, 2)
    assert not selection.better({criterion: worse}, 3) and not selection.better({}, 4)


def test_images_that_become_alike_are_trouble_and_the_first_ones_are_not(tmp_path: Path) -> None:
    slices = made_slices()
    one = np.repeat(slices.images[:1], len(slices.images), axis=0)
    judge = Judge(slices, load_schema("head"), CPU, draw=lambda network: one)
    alike, _ = judge(torch.nn.Identity(), 0)
    assert alike.diversity == pytest.approx(0, abs=1e-6)
    watch = HealthWatch(SafetySettings())
    assert watch.alike(alike.diversity) is None and watch.alike(0.9) is None
    again = HealthWatch(SafetySettings())
    again.restore(watch.state())
    assert again.alike(alike.diversity) is Trouble.ALIKE


def test_a_training_whose_images_become_alike_goes_back_and_one_without_held_out_people_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([0.9, 0.01, 0.9, 0.9, 0.9])
    monkeypatch.setattr("MedUSISLib.training.validation.diversity", lambda *arguments: next(measured))
    configuration = tiny_training(tmp_path, phases=[{**L1, "iterations": 4}], validate_every=2, checkpoint_every=2)
    images = [one.model_copy(update={"split": "train"}) for one in configuration.data.images]
    data = configuration.data.model_copy(update={"images": tuple(images)})
    recorder = Recorder()
    result = train(configuration.model_copy(update={"data": data}), recorder)
    assert "alike whatever their labels are" in dict(recorder.warnings)["ROLLED_BACK"]
    (one,) = read_log(result.out).rollbacks
    assert (one.iteration, one.back_to, one.trouble) == (4, 2, "alike")
    assert "Nobody was held out" in load_bundle(result.bundle).model_card
