"""``MedUSIS/Scripts/synthesize.py``: the whole way from files or a scene to files and a scene, without a window."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.writing import write_volume

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "MedUSIS" / "Scripts" / "synthesize.py"


@pytest.fixture(scope="module")
def script() -> Any:
    specification = importlib.util.spec_from_file_location("medusis_synthesize_script", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("generator") / "tiny").directory


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small oblique head, its labels as a label map."""
    folder = tmp_path_factory.mktemp("head")
    geometry = Geometry.from_affine_ras(_oblique(), (40, 36, 12))
    ct, labels = head_phantom(geometry)
    return {
        "ct": write_volume(ct, folder / "doe_john.nii.gz"),
        "seg": write_volume(labels, folder / "doe_john_labels.nrrd"),
    }


def _oblique() -> np.ndarray:
    angle = np.deg2rad(12)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag([1.5, 1.6, 4.0])
    matrix[:3, 3] = (-20.0, 31.0, -7.0)
    return matrix


@pytest.fixture
def arguments(files: dict[str, Path], generator: Path, tmp_path: Path) -> list[str]:
    return [
        *("--ct", str(files["ct"]), "--seg", str(files["seg"]), "--out", str(tmp_path / "result")),
        *("--generator", str(generator), "--passes", "2", "--device", "cpu"),
    ]


def test_files_in_files_and_scene_out(
    script: Any, mrml_scene: Any, arguments: list[str], files: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    scene = tmp_path / "scene.mrb"
    assert script.main([*arguments, "--labels", "head", "--save-scene", str(scene)]) == 0, capsys.readouterr().err
    result = tmp_path / "result"
    assert {p.name for p in result.iterdir() if not p.name.startswith(".")} == {
        "mr.nii.gz",
        "uncertainty.nii.gz",
        "mask_consistency.seg.nrrd",
        "report.html",
        "quality.json",
        "quality.tsv",
        "provenance.json",
    }
    ct, mr = sitk.ReadImage(files["ct"]), sitk.ReadImage(result / "mr.nii.gz")
    assert mr.GetSize() == ct.GetSize()
    corner = (39, 0, 11)
    assert np.allclose(mr.TransformIndexToPhysicalPoint(corner), ct.TransformIndexToPhysicalPoint(corner), atol=1e-3)
    assert "SYNTHETIC" in nibabel.load(result / "mr.nii.gz").header["descrip"].item().decode()
    assert json.loads((result / "provenance.json").read_text())["passes"] == 2
    assert "SYNTHETIC" in (result / "report.html").read_text(encoding="utf-8")
    said = capsys.readouterr().out
    assert "Reading the inputs" in said and "100 %" in said
    assert "doe" not in said.replace(str(tmp_path), "").lower()

    from MedUSISLib.mrml.loading import load_scene
    from MedUSISLib.mrml.result_nodes import nodes_of, synthetic_volumes

    load_scene(scene)
    (volume,) = synthetic_volumes(mrml_scene)
    assert nodes_of(volume).report is not None


def test_scene_in_with_transforms(
    script: Any, mrml_scene: Any, arguments: list[str], files: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    import slicer
    import vtk

    from MedUSISLib.mrml.file_export import save_scene
    from MedUSISLib.mrml.loading import load_labels, load_volume

    ct, labels = load_volume(files["ct"], "CT A"), load_labels(files["seg"], "Labels A")
    load_volume(files["ct"], "CT B")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = vtk.vtkTransform()
    turn.RotateX(30)
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    for node in (ct, labels):
        node.SetAndObserveTransformNodeID(transform.GetID())
    scene = tmp_path / "in.mrb"
    save_scene(scene)

    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "mine.txt").write_text("mine")
    options = [*arguments[4:], "--scene", str(scene), "--overwrite"]
    assert script.main(options) == 2
    assert "--ct-node" in capsys.readouterr().err
    assert script.main([*options, "--ct-node", "CT A"]) == 0, capsys.readouterr().err
    assert (tmp_path / "result" / "mine.txt").is_file()
    image, mr = sitk.ReadImage(files["ct"]), sitk.ReadImage(tmp_path / "result" / "mr.nii.gz")
    assert np.allclose(mr.GetOrigin(), image.GetOrigin(), atol=1e-3)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"--ct": "nothing.nii.gz"}, 10),
        ({"--generator": "no-such"}, 20),
        ({"--passes": "0"}, 2),
        ({"--passes": "many"}, 2),
        ({"--mode": "sideways"}, 2),
        ({"--labels": "no-such"}, 2),
        ({"--save-scene": "scene.txt"}, 2),
        ({"--unmapped": "no_class"}, 14),
    ],
)
def test_each_error_has_its_exit_code(
    script: Any, mrml_scene: Any, arguments: list[str], changed: dict[str, str], code: int, tmp_path: Path, capsys: Any
) -> None:
    for name, value in changed.items():
        if name in arguments:
            arguments[arguments.index(name) + 1] = value
        else:
            arguments += [name, value]
    assert script.main(arguments) == code
    assert capsys.readouterr().err
    assert not (tmp_path / "result").exists()


def test_an_mr_is_refused(script: Any, mrml_scene: Any, arguments: list[str], files: Any, tmp_path: Path) -> None:
    image = sitk.ReadImage(files["ct"])
    sitk.WriteImage(sitk.Abs(image), tmp_path / "mr.nii.gz")
    arguments[1] = str(tmp_path / "mr.nii.gz")
    assert script.main(arguments) == 11
    assert list(tmp_path.glob("result*")) == []


def test_labels_that_nobody_knows_stop_the_run_unless_they_become_a_class(
    script: Any, mrml_scene: Any, arguments: list[str], files: Any, tmp_path: Path, capsys: Any
) -> None:
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.mrml.headless import HeadlessOptions, classes_of
    from MedUSISLib.mrml.loading import load_labels

    image = sitk.Cast(sitk.ReadImage(files["seg"]), sitk.sitkInt16)
    sitk.WriteImage(image + 700 * sitk.Cast(image == 9, sitk.sitkInt16), tmp_path / "s.nrrd")
    arguments[3] = str(tmp_path / "s.nrrd")
    assert script.main([*arguments, "--labels", "head"]) == 14
    assert "709" in capsys.readouterr().err

    node = load_labels(tmp_path / "s.nrrd", "labels")
    options = HeadlessOptions(out=tmp_path, labels="head", unmapped="brain")
    assert classes_of(node, load_schema("head"), options)["709"] == "brain"


def test_a_result_that_is_there_is_not_replaced_unasked(
    script: Any, mrml_scene: Any, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "mine.txt").write_text("mine")
    assert script.main(arguments) == 2
    assert [p.name for p in (tmp_path / "result").iterdir()] == ["mine.txt"]


def test_missing_packages_are_named_and_nothing_is_installed(
    script: Any, mrml_scene: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from MedUSISLib.mrml import headless
    from MedUSISLib.mrml.installation_status import dependency_status

    status = dependency_status([])
    assert not status.complete
    monkeypatch.setattr(headless, "dependency_status", lambda: status)
    assert script.main(arguments) == 33
    assert status.sentence in capsys.readouterr().err


def test_an_unexpected_error_has_exit_code_1_and_names_no_file(
    script: Any, mrml_scene: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from MedUSISLib.mrml import headless

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("/data/doe_john.nii.gz")

    monkeypatch.setattr(headless, "load_volume", fail)
    assert script.main(arguments) == 1
    assert "doe" not in capsys.readouterr().err


def test_ctrl_c_ends_the_job(
    script: Any, mrml_scene: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "process_events", lambda: interrupt)
    assert script.main(arguments) == 130
    assert list(tmp_path.glob("result*")) == []


def test_help_needs_neither_slicer_nor_anything_else() -> None:
    for arguments in (["--help"], ["--", "--help"]):
        done = subprocess.run([sys.executable, "-S", str(SCRIPT), *arguments], capture_output=True, text=True)
        assert "--save-scene" in done.stdout, done.stderr


def test_dicom_folder_is_read(mrml_scene: Any, tmp_path: Path) -> None:
    import slicer
    from test_imaging_dicom import ct_on, write_series

    from MedUSISLib.mrml.loading import load_volume
    from MedUSISLib.mrml.world_grid import index_to_local

    volume = ct_on()
    write_series(tmp_path / "series", volume)
    node = load_volume(tmp_path / "series", "CT")
    assert np.array_equal(slicer.util.arrayFromVolume(node), volume.array_kji)
    assert np.allclose(index_to_local(node), volume.geometry.affine_ras, atol=1e-4)


def test_a_segmentation_file_keeps_its_names(mrml_scene: Any, files: dict[str, Path], tmp_path: Path) -> None:
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.mrml.headless import HeadlessOptions, classes_of
    from MedUSISLib.mrml.loading import load_labels, load_segmentation
    from MedUSISLib.mrml.schema_segments import segmentation_from_labels

    made = segmentation_from_labels(load_labels(files["seg"], "labels"), "head", "head")
    storage = made.CreateDefaultStorageNode()
    storage.SetFileName(str(tmp_path / "s.seg.nrrd"))
    assert storage.WriteData(made)
    node = load_segmentation(tmp_path / "s.seg.nrrd", "Segmentation")
    assert node.IsA("vtkMRMLSegmentationNode")
    classes = classes_of(node, load_schema("head"), HeadlessOptions(out=tmp_path))
    assert sorted(classes.values()) == ["cortex", "cortical_bone", "csf", "skin", "soft_tissue", "white_matter"]


@pytest.mark.parametrize("kind", ["series", "colour", "text", "empty"])
def test_what_is_no_volume_is_named(
    script: Any, mrml_scene: Any, arguments: list[str], kind: str, tmp_path: Path, capsys: Any
) -> None:
    path = tmp_path / "doe_john.nii.gz"
    if kind == "series":
        sitk.WriteImage(sitk.Image([8, 8, 8, 3], sitk.sitkInt16), path)
    elif kind == "colour":
        sitk.WriteImage(sitk.Image([8, 8, 8], sitk.sitkVectorUInt8, 3), path)
    else:
        path.write_bytes(b"hello" * 99 if kind == "text" else b"")
    arguments[1] = str(path)
    assert script.main(arguments) in (10, 11)
    said = capsys.readouterr().err
    assert "INPUT_NOT_READABLE" in said or "NOT_A_CT" in said


def test_outside_slicer_it_says_so_and_ends_with_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--ct", "ct.nii.gz", "--seg", "seg.nii.gz", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 33, done.stderr
    assert "inside 3D Slicer" in done.stderr


def test_slicer_is_ended_by_its_own_function(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    slicer = SimpleNamespace(app=object(), util=SimpleNamespace(exit=codes.append))
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    script.leave(13)
    assert codes == [13]
