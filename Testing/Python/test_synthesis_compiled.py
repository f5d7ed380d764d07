"""Passes compiled on wish: the same image, only where it can pay, and a warning where it cannot be done."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from painter import synthesize_in_memory
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis import compiled_tail
from MedUSISLib.synthesis.bookkeeping import RecordingProgress
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.result import SynthesisResult

GRID = Geometry((50, 50, 5), (1.0, 1.0, 4.0))


class Heard(Progress):
    """Remembers stages and warnings."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.warnings: list[tuple[str, str]] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def warning(self, code: str, message: str) -> None:
        self.warnings.append((code, message))


class Compiler:
    """Stands in for ``torch.compile``: answers with the function itself, or fails when that is called."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.drawn: list[int] = []

    def __call__(self, function: Callable[..., torch.Tensor], **options: Any) -> Callable[..., torch.Tensor]:
        def compiled(state: Any, masks: list[torch.Tensor]) -> torch.Tensor:
            self.drawn.append(len(state.activated))
            if self.trouble is not None:
                raise self.trouble
            return function(state, masks)

        return compiled


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def synthesized(bundle: Bundle, **settings: object) -> SynthesisResult:
    ct, segmentation = head_phantom(GRID)
    return synthesize_in_memory(ct, segmentation, bundle, **({"passes": 3, "batch_size": 2} | settings))


def stand_in(monkeypatch: pytest.MonkeyPatch, trouble: Exception | None = None) -> Compiler:
    compiler = Compiler(trouble)
    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.setattr(compiled_tail, "prepare_compiler", lambda: None)
    return compiler


def test_compiled_passes_make_the_same_voxels_and_say_that_they_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    plain = synthesized(bundle)
    compiler = stand_in(monkeypatch)
    compiled = synthesized(bundle, compile_passes=True)
    assert compiler.drawn
    np.testing.assert_allclose(compiled.mr.array_kji, plain.mr.array_kji, atol=1e-5)
    np.testing.assert_allclose(compiled.uncertainty.array_kji, plain.uncertainty.array_kji, atol=1e-6)
    assert compiled.provenance["settings"]["compile_passes"] is True
    assert plain.provenance["settings"]["compile_passes"] is False
    assert "compiling" in compiled.timings and "compiling" not in plain.timings


def test_a_last_smaller_batch_is_not_compiled_for(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    compiler, heard = stand_in(monkeypatch), Heard()
    sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=4))
    labels = np.random.default_rng(0).integers(0, 16, (5, 64, 64)).astype(np.uint8)
    sampler.compile_passes(heard)
    for first in (0, 2, 4):
        sampler.maps(labels[first : first + 2], keys=range(first, min(first + 2, 5)))
    assert compiler.drawn == [1] * 16  # two batches of two slices, one by one as on a CPU, four passes each
    assert heard.stages == ["compiling", "synthesizing"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (RuntimeError("InvalidCxxCompiler: No working C++ compiler found in /secret/path"), "no C++ compiler"),
        (TypeError("something in /secret/path"), "TypeError"),
    ],
)
def test_without_a_compiler_a_warning_says_so_and_the_image_is_the_same(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, trouble: Exception, words: str
) -> None:
    plain = synthesized(bundle)
    compiler = stand_in(monkeypatch, trouble)
    result = synthesized(bundle, compile_passes=True)
    assert len(compiler.drawn) <= 2  # the first batch, and never again
    assert [warning.code for warning in result.warnings] == [*(w.code for w in plain.warnings), "NOT_COMPILED"]
    assert words in result.warnings[-1].message and "secret" not in result.warnings[-1].message
    np.testing.assert_array_equal(result.mr.array_kji, plain.mr.array_kji)


def test_lack_of_memory_is_no_fault_of_the_compiler(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    stand_in(monkeypatch, MemoryError())
    heard = Heard()
    sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=2))
    sampler.compile_passes(heard)
    with pytest.raises(MemoryError):
        sampler.maps(np.zeros((1, 64, 64), np.uint8), keys=[0])
    assert not heard.warnings


def test_one_pass_is_drawn_before_anything_could_be_compiled(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    compiler = stand_in(monkeypatch)
    result = synthesized(bundle, passes=1, compile_passes=True)
    assert "compiling" not in result.timings and not compiler.drawn


def test_a_kept_network_forgets_the_wish_of_the_run_before(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    compiler = stand_in(monkeypatch)
    sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=2))
    sampler.compile_passes(Heard())
    sampler.compile_passes(None)
    sampler.maps(np.zeros((1, 64, 64), np.uint8), keys=[0])
    assert not compiler.drawn


def test_a_batch_goes_on_whether_it_compiles_or_not() -> None:
    plain, compiled = (BatchRequest(input="in", out="out", compile_passes=wish) for wish in (False, True))
    assert plain.settings() == compiled.settings()
    request = compiled.synthesis(Path("ct.nii"), Path("seg.nii"), Path("out"))
    assert request.compile_passes


def test_what_is_compiled_lies_in_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_COMPILE_THREADS"):
        monkeypatch.setenv(name, "/somewhere/else")
    folder = compiled_tail.prepare_compiler.__wrapped__()
    try:
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(folder.path)
        assert Path(os.environ["TRITON_CACHE_DIR"]).parent == folder.path
        assert os.name == "nt" or stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    finally:
        folder.close()
    assert not folder.path.exists()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++ here")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_torch_compiles_the_passes(tmp_path: Path, precision: str, tolerance: float) -> None:
    wide = {"widths": [128, 128, 64], "number_of_classes": 16, "noise_channels": 8, "dropout": 0.3, "dropout_blocks": 2}
    bundle = tiny_bundle(tmp_path / "wide", precision=precision)
    network = type(bundle.load_network())(**wide, spectral=False).eval()
    labels = np.random.default_rng(0).integers(0, 16, (1, 32, 32)).astype(np.uint8)
    heard = RecordingProgress()

    def drawn(compile_passes: bool) -> np.ndarray:
        sampler = PassSampler(network, bundle.manifest, PassSettings(passes=3))
        sampler.compile_passes(heard if compile_passes else None)
        return sampler.maps(labels, keys=[0]).mean

    plain = drawn(False)
    np.testing.assert_allclose(drawn(True), plain, atol=tolerance)
    assert not heard.warnings


@pytest.mark.long
def test_torch_finds_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", (str(tmp_path / "no-compiler"),))
    torch._dynamo.reset()
    bundle = tiny_bundle(tmp_path / "tiny")
    heard = Heard()
    sampler = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=2))
    sampler.compile_passes(heard)
    assert np.isfinite(sampler.maps(np.zeros((1, 64, 64), np.uint8), keys=[0]).mean).all()
    assert [code for code, _ in heard.warnings] == ["NOT_COMPILED"]
