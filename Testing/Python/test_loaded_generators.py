"""Generators that stay in memory: the same voxels, no stale weights, and nothing poisoned by a run that failed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators import loaded_bundles
from MedUSISLib.generators.loaded_bundles import LoadedBundles
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.engine import compute_stage, read_stage, synthesize, write_stage
from MedUSISLib.synthesis.loaded_generators import LoadedGenerators
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.second_look import SecondLook

GRID = Geometry((40, 42, 4), (1.5, 1.5, 5.0))
NOT_WANTED = MedUSISError(ErrorCode.INTERNAL, "not wanted in this test")


@pytest.fixture(autouse=True)
def quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MedUSISLib.synthesis.report.write_report", lambda result, path: path.write_text("report"))
    monkeypatch.setattr("MedUSISLib.synthesis.engine.look_again", lambda *_: SecondLook(None, NOT_WANTED))


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    folder = tiny_bundle(tmp_path / "tiny").directory
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
    return folder


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The bundles whose files have been hashed."""
    seen: list[Path] = []
    real = loaded_bundles.verify_bundle
    monkeypatch.setattr(loaded_bundles, "verify_bundle", lambda folder: (seen.append(folder), real(folder))[1])
    # files that were just written are looked at again by themselves
    monkeypatch.setattr(loaded_bundles, "_SETTLED_S", 0.0)
    return seen


def request_of(folder: Path, generator: Path, **changes: object) -> SynthesisRequest:
    if not (folder / "ct.nii").exists():
        ct, labels = head_phantom(GRID)
        write_volume(ct, folder / "ct.nii")
        write_volume(labels, folder / "seg.nii")
    values = {"ct": folder / "ct.nii", "segmentation": folder / "seg.nii", "labels": "head", "passes": 3}
    values |= {"generator": str(generator), "out": folder / "out", "device": "cpu"}
    return SynthesisRequest.model_validate(values | changes)


def test_a_kept_generator_draws_the_same_voxels(tmp_path: Path, generator: Path) -> None:
    request, kept = request_of(tmp_path, generator, noise_samples=2), LoadedGenerators()
    alone = synthesize(request)
    torch.rand(7)  # torch's own random numbers are somewhere else in each run
    for _ in range(2):
        again = synthesize(request, generators=kept)
        for name in ("mr", "uncertainty", "noise_spread", "mask_consistency", "labels"):
            np.testing.assert_array_equal(getattr(again, name).array_kji, getattr(alone, name).array_kji)
        assert again.provenance["generator"] == alone.provenance["generator"]


def test_files_are_hashed_again_only_when_one_has_changed(generator: Path, hashed: list[Path]) -> None:
    kept = LoadedGenerators()
    first = kept.get(str(generator))
    assert kept.get(str(generator)).network is first.network and len(hashed) == 1
    card = generator / "README.md"
    card.write_bytes(card.read_bytes())  # the same words, another time
    assert kept.get(str(generator)).network is first.network and len(hashed) == 2
    kept.release()
    assert kept.get(str(generator)).network is not first.network and len(hashed) == 3


def test_files_that_were_just_written_are_not_believed(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_bundles, "_SETTLED_S", 3600.0)
    folder, kept = tiny_bundle(tmp_path / "tiny").directory, LoadedBundles()
    kept.verified(folder)
    kept.verified(folder)  # it may have been written again within one tick of the file system's clock
    assert len(hashed) == 2


def test_another_generator_in_the_same_place_is_seen(tmp_path: Path, generator: Path) -> None:
    kept = LoadedGenerators()
    request = request_of(tmp_path, generator)
    before = synthesize(request, generators=kept)
    for path in sorted(generator.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    generator.rmdir()
    tiny_bundle(generator, seed=5)
    after = synthesize(request, generators=kept)
    assert np.abs(after.mr.array_kji - before.mr.array_kji).max() > 1e-3
    np.testing.assert_array_equal(after.mr.array_kji, synthesize(request).mr.array_kji)
    assert len(kept._networks) == 1  # the old weights are gone


def test_a_damaged_generator_is_refused_and_works_again_when_repaired(tmp_path: Path, generator: Path) -> None:
    kept, request = LoadedGenerators(), request_of(tmp_path, generator)
    before = synthesize(request, generators=kept).mr.array_kji
    weights = next(generator.glob("*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(MedUSISError) as caught:
            synthesize(request, generators=kept)
        assert caught.value.code is ErrorCode.GENERATOR_CORRUPT
    weights.write_bytes(content)
    np.testing.assert_array_equal(synthesize(request, generators=kept).mr.array_kji, before)


def test_weights_do_not_hang_on_the_file(generator: Path) -> None:
    """A mapped file that is cut short kills the process that reads it."""
    network = LoadedGenerators().get(str(generator)).network
    next(generator.glob("*.safetensors")).write_bytes(b"")
    onehot = torch.zeros(1, 16, 64, 64)
    onehot[:, 3] = 1
    assert torch.isfinite(network.tail(network.trunk(onehot, network.with_noise(torch.zeros(1, 8))))).all()


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    kept = LoadedGenerators(keep=1)
    one, two = (tiny_bundle(tmp_path / name).directory for name in ("one", "two"))
    first = kept.get(str(one)).network
    kept.get(str(two))
    assert kept.get(str(one)).network is not first
    none = LoadedGenerators(keep=0)
    assert none.get(str(one)).network is not none.get(str(one)).network


def test_loading_moves_nobodys_random_numbers(generator: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    LoadedGenerators().get(str(generator))
    assert torch.equal(torch.rand(4), expected)


def test_stages_of_two_cases_overlap_and_give_what_one_after_the_other_gives(tmp_path: Path, generator: Path) -> None:
    kept = LoadedGenerators()
    requests = [request_of(tmp_path, generator, out=tmp_path / f"out{seed}", seed=seed) for seed in range(2)]
    alone = [synthesize(request.model_copy(update={"out": tmp_path / "alone"})) for request in requests]
    first = read_stage(requests[0], Progress(), kept)
    second: list[object] = []
    reader = threading.Thread(target=lambda: second.append(read_stage(requests[1], Progress(), kept)))
    reader.start()
    results = [compute_stage(first, Progress())]
    reader.join()
    writer = threading.Thread(target=write_stage, args=(results[0], Progress()))
    writer.start()
    results.append(compute_stage(second[0], Progress()))  # type: ignore[arg-type]
    writer.join()
    write_stage(results[1], Progress())
    for request, result, expected in zip(requests, results, alone, strict=True):
        np.testing.assert_array_equal(result.mr.array_kji, expected.mr.array_kji)
        assert {"reading", "synthesizing", "measuring", "writing"} <= set(result.timings)
        assert (request.out / "quality.json").is_file()


def test_what_can_fail_early_fails_before_anything_is_read(tmp_path: Path, generator: Path) -> None:
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "thesis.docx").write_text("mine")
    wrong = {"out": occupied}, {"generator": "no-such"}, {"device": "cuda:99"}
    for changes in wrong:
        update = {"ct": tmp_path / "not there.nii", **changes}
        request = request_of(tmp_path, generator).model_copy(update=update)
        with pytest.raises(MedUSISError) as caught:
            read_stage(request, Progress(), LoadedGenerators())
        assert caught.value.code is not ErrorCode.INPUT_NOT_READABLE
