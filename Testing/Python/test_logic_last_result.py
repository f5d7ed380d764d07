"""Another choice of maps needs no run; anything that could change the image does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from logic_doubles import Ear, Inputs, behaving_worker, nodes

from MedUSISLib.mrml.last_result import MOST_BYTES, TAKEN
from MedUSISLib.mrml.preparation import PreparedInputs
from MedUSISLib.mrml.settings import OutputChoice, SynthesisSettings
from MedUSISLib.mrml.synthesis_logic import SynthesisLogic
from MedUSISLib.resources import resource_path

PLAIN = SynthesisSettings(passes=1)


class Writing(Inputs):
    """Writes what the test says into the inputs."""

    content = {"ct.nii": b"voxels", "segmentation.nii": b"labels", "labels.csv": b"classes"}
    resampled = False

    def __call__(self, inputs: Any, schema: Any, folder: Path) -> PreparedInputs:
        prepared = super().__call__(inputs, schema, folder)
        for name, content in self.content.items():
            (folder / name).write_bytes(content)
        return replace(prepared, segmentation_was_resampled=self.resampled)


class Bench:
    """The logic with a child process that computes nothing; counts how often it is started."""

    def __init__(self, scene: Any, temporary: Path) -> None:
        self.started, self.loaded = 0, []
        worker, self.prepare, self.temporary = behaving_worker("succeed"), Writing(), temporary
        self.inputs = nodes(scene)

        def command() -> tuple[str, ...]:
            self.started += 1
            return worker.command()

        def load(folder: Path, ct: Any, outputs: OutputChoice, made_on: Any) -> dict[str, bytes]:
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
            self.loaded.append((outputs, files))
            return files

        self.logic = SynthesisLogic(
            replace(worker, command=command), self.prepare, load, lambda: scene  # type: ignore[arg-type]
        )
        self.ear = Ear(self.logic)

    def run(self, settings: SynthesisSettings = PLAIN, outputs: OutputChoice | None = None) -> bool:
        """Whether a child process was started; the outcome is a result in any case."""
        before = self.started
        self.ear.heard.clear()
        self.logic.start(self.inputs, settings, outputs or OutputChoice())
        assert self.logic.wait(60.0)
        assert self.ear.outcomes() == ["finished"], self.logic.log_text()
        assert list(self.temporary.iterdir()) == []  # nothing of a patient is on the disk
        computed = self.started > before
        assert (TAKEN in [code for code, _ in self.ear.all("warned")]) is not computed
        return computed


@pytest.fixture
def bench(mrml_scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    bench = Bench(mrml_scene, temporary)
    assert bench.run()
    yield bench
    bench.logic.close()


def test_other_maps_come_from_the_result_that_is_there(bench: Bench) -> None:
    assert not bench.run(outputs=OutputChoice(labels=True, uncertainty=False))
    assert not bench.run()
    (_, first), (second_choice, second), _ = bench.loaded
    assert first == second and first and second_choice.labels
    assert "nothing was computed" in bench.logic.log_text()
    bench.logic.forget()
    assert bench.run()


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"passes": 2}, {"truncation": 1.0}, {"device": "cpu"}, {"batch_size": 1}]
)
def test_another_setting_is_another_run(bench: Bench, changes: dict[str, Any]) -> None:
    assert bench.run(replace(PLAIN, **changes))
    assert not bench.run(replace(PLAIN, **changes))


def test_any_byte_of_an_input_is_another_run(bench: Bench) -> None:
    for name in Writing.content:
        bench.prepare.content = {**bench.prepare.content, name: b"changed in place"}
        assert bench.run(), name
        assert not bench.run(), name
    bench.prepare.resampled = True
    assert bench.run()


def test_another_generator_of_the_same_name_is_another_run(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path / "mine"))
    mine = tmp_path / "mine" / "head-t1w"
    shutil.copytree(resource_path("Generators", "head-t1w"), mine)
    assert not bench.run()  # the same files in another place
    manifest = mine / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert bench.run()


@pytest.mark.parametrize(
    "lose",
    [
        lambda scene, bench: scene.RemoveNode(bench.inputs.ct),
        lambda scene, bench: scene.Clear(0),
        lambda scene, bench: bench.logic.close(),
    ],
    ids=["CT removed", "scene closed", "module closed"],
)
def test_it_is_forgotten_with_the_patient(mrml_scene: Any, bench: Bench, lose: Callable[[Any, Bench], None]) -> None:
    lose(mrml_scene, bench)
    assert bench.logic._last._files == {}


def test_what_is_too_large_is_not_kept(bench: Bench, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    with (large / "mr.nii.gz").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    bench.logic._last.keep("key", large)
    assert not bench.logic._last.write("key", tmp_path / "out")
    assert not (tmp_path / "out").exists() and bench.run()
