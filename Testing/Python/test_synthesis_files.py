"""From files to files: what a run writes, what it refuses, and that a failure leaves nothing behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from painter import Painter
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.engine import synthesize
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.second_look import SecondLook, every_nth_slice
from MedUSISLib.synthesis.writing import FILES

PATIENT = "Mustermann_Erika_1950"
GRID = Geometry((50, 52, 6), (1.0, 1.0, 4.0), (10.0, 20.0, -30.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


class Listener(Progress):
    """Keeps what it hears; raises CANCELLED at the given checkpoint."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.stages: list[str] = []
        self.steps: list[tuple[int, int]] = []
        self.previews: list[bytes] = []
        self.preview_paths: list[Path] = []
        self.codes: list[str] = []
        self.checkpoints = 0
        self._cancel_at = cancel_at

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def preview(self, path: Path) -> None:
        self.previews.append(path.read_bytes())
        self.preview_paths.append(path)

    def warning(self, code: str, message: str) -> None:
        assert PATIENT not in message
        self.codes.append(code)

    def checkpoint(self) -> None:
        self.checkpoints += 1
        if self.checkpoints == self._cancel_at:
            raise MedUSISError(ErrorCode.CANCELLED, "the job was cancelled")


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny").directory


NOT_WANTED = MedUSISError(ErrorCode.INTERNAL, "not wanted in this test")
WITH_REPORT = {"test_run_writes_all_files_in_the_grid_of_the_ct", "test_no_file_holds_a_name_or_a_path"}


@pytest.fixture(autouse=True)
def quick_report(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and segmentation take most of the time of a tiny run; two tests have them."""
    if request.function.__name__ not in WITH_REPORT:
        monkeypatch.setattr("MedUSISLib.synthesis.report.write_report", lambda result, path: path.write_text("report"))
        monkeypatch.setattr("MedUSISLib.synthesis.engine.look_again", lambda *_: SecondLook(None, NOT_WANTED))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a CT and a segmentation in it, named after a patient."""
    inputs = tmp_path / "inputs"
    ct, segmentation = head_phantom(GRID)
    write_volume(ct, inputs / f"{PATIENT}_ct.nii.gz")
    write_volume(segmentation, inputs / f"{PATIENT}_seg.nrrd")
    return tmp_path


def request_of(folder: Path, generator: Path, **changes: object) -> SynthesisRequest:
    values: dict[str, object] = {
        "ct": folder / "inputs" / f"{PATIENT}_ct.nii.gz",
        "segmentation": folder / "inputs" / f"{PATIENT}_seg.nrrd",
        "labels": "head",
        "generator": str(generator),
        "out": folder / "out",
        "passes": 2,
        "device": "cpu",
    }
    return SynthesisRequest.model_validate(values | changes)


def everything_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if "inputs" not in path.parts}


def test_run_writes_all_files_in_the_grid_of_the_ct(folder: Path, generator: Path) -> None:
    listener = Listener()
    result = synthesize(request_of(folder, generator, noise_samples=2), listener)
    written = {path.name for path in (folder / "out").iterdir()}
    assert set(FILES.values()) | {"quality.json", "provenance.json", "report.html"} <= written
    ct = nibabel.load(folder / "inputs" / f"{PATIENT}_ct.nii.gz")
    types = {"mr": "float32", "uncertainty": "float32", "noise_spread": "float32"}
    for name, file in FILES.items():
        image = nibabel.load(folder / "out" / file)
        assert image.shape == ct.shape
        np.testing.assert_allclose(image.affine, ct.affine, atol=1e-4)
        assert image.header["descrip"].tobytes().startswith(b"SYNTHETIC - not for diagnosis")
        assert image.get_data_dtype() == np.dtype(types.get(name, "uint8"))
        kept = getattr(result, name).array_kji
        np.testing.assert_array_equal(read_volume(folder / "out" / file).array_kji, kept)
    stages = [stage for stage in listener.stages if stage != "segmenting"]
    assert stages == ["reading", "preparing", "synthesizing", "restoring", "measuring", "reporting", "writing"]
    assert listener.previews and all(picture.startswith(b"\x89PNG") for picture in listener.previews)
    assert not any(path.exists() for path in listener.preview_paths)


def test_quality_and_provenance_say_what_happened(folder: Path, generator: Path) -> None:
    synthesize(request_of(folder, generator, seed=7))
    quality = json.loads((folder / "out" / "quality.json").read_text())
    assert quality["uncertainty"]["global"] > 0
    assert quality["unlabelled_body_fraction"] < 0.1
    assert quality["peak_memory_mb"] > 50
    assert {"reading", "synthesizing", "writing"} <= set(quality["timings_s"])
    provenance = json.loads((folder / "out" / "provenance.json").read_text())
    assert provenance["generator"]["id"] == "tiny" and provenance["seed"] == 7 and provenance["passes"] == 2
    assert re.fullmatch("[0-9a-f]{64}", provenance["inputs"]["ct"]["voxels_sha256"])
    assert provenance["software"]["torch"] == torch.__version__


def test_no_file_holds_a_name_or_a_path(folder: Path, generator: Path) -> None:
    synthesize(request_of(folder, generator))
    for path in (folder / "out").iterdir():
        content = path.read_bytes()
        assert PATIENT.encode() not in content, path.name
        assert str(folder).encode() not in content, path.name


def test_same_request_twice_gives_the_same_bytes(folder: Path, generator: Path) -> None:
    for out in ("first", "second"):
        synthesize(request_of(folder, generator, out=folder / out, noise_samples=2))
    for file in FILES.values():
        assert (folder / "first" / file).read_bytes() == (folder / "second" / file).read_bytes(), file
    hashes = [json.loads((folder / out / "provenance.json").read_text())["inputs"] for out in ("first", "second")]
    assert hashes[0] == hashes[1]


def test_voxel_hash_does_not_depend_on_the_file_format(folder: Path, generator: Path) -> None:
    ct, _ = head_phantom(GRID)
    write_volume(ct, folder / "inputs" / "other.mha")
    first = synthesize(request_of(folder, generator))
    second = synthesize(request_of(folder, generator, ct=folder / "inputs" / "other.mha", out=folder / "out2"))
    assert first.provenance["inputs"] == second.provenance["inputs"]


@pytest.mark.parametrize("checkpoint", [1, 3, 6, 9, 12])
def test_cancel_leaves_nothing(folder: Path, generator: Path, checkpoint: int) -> None:
    listener = Listener(cancel_at=checkpoint)
    with pytest.raises(MedUSISError) as caught:
        synthesize(request_of(folder, generator), listener)
    assert caught.value.code is ErrorCode.CANCELLED
    assert not any("nii" in name or "json" in name for name in everything_in(folder))
    assert not (folder / "out").exists()
    assert not any(path.exists() for path in listener.preview_paths)


def test_failure_keeps_an_earlier_result(folder: Path, generator: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesize(request_of(folder, generator))
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}

    def failing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("MedUSISLib.synthesis.engine.write_json", failing)
    with pytest.raises(OSError, match="space"):
        synthesize(request_of(folder, generator, seed=1))
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def refused(folder: Path, generator: Path, **changes: object) -> MedUSISError:
    with pytest.raises(MedUSISError) as caught:
        synthesize(request_of(folder, generator, **changes))
    assert PATIENT not in str(caught.value)
    assert not (folder / "out").exists()
    return caught.value


def test_mr_given_as_ct_is_refused(folder: Path, generator: Path) -> None:
    _, segmentation = head_phantom(GRID)
    mr = np.random.default_rng(0).normal(300, 20, GRID.shape_kji) * (segmentation.array_kji > 0)
    write_volume(Volume(mr.astype(np.float32), GRID), folder / "inputs" / "mr.nii.gz")
    assert refused(folder, generator, ct=folder / "inputs" / "mr.nii.gz").code is ErrorCode.NOT_A_CT


def test_missing_ct_is_refused(folder: Path, generator: Path) -> None:
    assert refused(folder, generator, ct=folder / "nothing.nii.gz").code is ErrorCode.INPUT_NOT_READABLE


def test_unknown_generator_is_refused(folder: Path) -> None:
    assert refused(folder, Path("no-such-generator")).code is ErrorCode.GENERATOR_NOT_FOUND


def test_unknown_labels_are_refused_unless_the_user_decides(folder: Path, generator: Path) -> None:
    _, segmentation = head_phantom(GRID)
    values = segmentation.array_kji.astype(np.int16)
    values[values == 9] = 777
    odd = folder / "inputs" / "odd.nii.gz"
    write_volume(Volume(values, GRID), odd)
    error = refused(folder, generator, segmentation=odd)
    assert error.code is ErrorCode.UNKNOWN_LABELS and "777" in error.message
    result = synthesize(request_of(folder, generator, segmentation=odd, unmapped="white_matter"))
    assert (result.labels.array_kji == 9).any()


def test_labels_are_guessed_with_a_warning_and_refused_when_unclear(folder: Path, generator: Path) -> None:
    listener = Listener()
    synthesize(request_of(folder, generator, labels=None, out=folder / "guessed"), listener)
    assert "LABELS_GUESSED" in listener.codes
    _, segmentation = head_phantom(GRID)
    unclear = folder / "inputs" / "unclear.nii.gz"
    write_volume(Volume((segmentation.array_kji > 0).astype(np.uint8), GRID), unclear)
    error = refused(folder, generator, labels=None, segmentation=unclear)
    assert error.code is ErrorCode.UNKNOWN_LABELS and "synthseg" in error.hint


def test_segmentation_of_something_else_is_refused(folder: Path, generator: Path) -> None:
    _, segmentation = head_phantom(GRID)
    elsewhere = Geometry(GRID.size_ijk, GRID.spacing_mm, (900.0, 900.0, 900.0), GRID.direction)
    away = folder / "inputs" / "away.nii.gz"
    write_volume(Volume(segmentation.array_kji, elsewhere), away)
    assert refused(folder, generator, segmentation=away).code is ErrorCode.EMPTY_SEGMENTATION
    empty = folder / "inputs" / "empty.nii.gz"
    write_volume(Volume(np.zeros(GRID.shape_kji, np.uint8), GRID), empty)
    assert refused(folder, generator, segmentation=empty).code is ErrorCode.EMPTY_SEGMENTATION
    speck = np.zeros(GRID.shape_kji, np.uint8)
    speck[3, 25, 25] = 9
    write_volume(Volume(speck, GRID), empty)
    assert refused(folder, generator, segmentation=empty).code is ErrorCode.EMPTY_SEGMENTATION


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_missing_device_is_refused_before_anything_is_read(folder: Path, generator: Path) -> None:
    error = refused(folder, generator, device="cuda", ct=folder / "nothing.nii.gz")
    assert error.code is ErrorCode.DEVICE_NOT_AVAILABLE


def test_second_look_at_every_nth_slice_stays_in_place() -> None:
    volume, _ = head_phantom(Geometry((20, 21, 31), (1.0, 1.0, 2.0), (5.0, 6.0, 7.0)))
    for axis in range(3):
        thinned = every_nth_slice(volume, axis, 3)
        assert thinned.array_kji.shape[axis] == len(range(1, volume.array_kji.shape[axis], 3))
        corner, middle = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        corner[2 - axis] = 1
        middle[2 - axis] = 4
        np.testing.assert_allclose(thinned.geometry.index_to_lps([(0, 0, 0)]), volume.geometry.index_to_lps([corner]))
        one = [0.0, 0.0, 0.0]
        one[2 - axis] = 1
        np.testing.assert_allclose(thinned.geometry.index_to_lps([one]), volume.geometry.index_to_lps([middle]))
    assert every_nth_slice(volume, 0, 1) is volume


class Hungry(Painter):
    """Runs out of memory with more than ``limit`` images at once."""

    limit = 1

    def trunk(self, onehot: torch.Tensor, z: torch.Tensor | None = None) -> torch.Tensor:
        if len(onehot) > self.limit:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 bytes")
        return super().trunk(onehot, z)


def test_out_of_memory_is_tried_again_with_half_the_batch(
    folder: Path, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Hungry())
    listener = Listener()
    synthesize(request_of(folder, generator, batch_size=2), listener)
    assert listener.codes.count("OUT_OF_MEMORY") == 1


def test_out_of_memory_after_the_retry_is_an_error(
    folder: Path, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Hungry())
    error = refused(folder, generator, batch_size=4)
    assert error.code is ErrorCode.OUT_OF_MEMORY and "--batch-size" in error.hint
