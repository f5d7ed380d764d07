"""``MedUSIS/Scripts/batch.py``: a whole small batch without a window, its errors, and its options."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batch_doubles import tiny_patients

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "MedUSIS" / "Scripts" / "batch.py"


@pytest.fixture(scope="module")
def script() -> Any:
    specification = importlib.util.spec_from_file_location("medusis_batch_script", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_patients(tmp_path_factory.mktemp("hospital"))


@pytest.fixture
def arguments(patients: Any, tmp_path: Path) -> list[str]:
    return [
        *("--input", str(patients.folder), "--out", str(tmp_path / "out"), "--generator", str(patients.generator)),
        *("--passes", "1", "--device", "cpu", "--workers", "1", "--labels", "head"),
    ]


def test_a_batch_is_interrupted_gone_on_with_and_one_of_its_cases_comes_into_the_scene(
    script: Any,
    mrml_scene: Any,
    arguments: list[str],
    patients: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    from MedUSISLib.batch.folder import is_running

    out = tmp_path / "out"

    def interrupt() -> None:
        if (out / "manifest.sqlite").is_file():
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(script, "process_events", lambda: interrupt)
        assert script.main(arguments) == 130
    assert not is_running(out)

    capsys.readouterr()
    assert script.main(arguments) == 3, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "Looking for CTs and their segmentations" in said and "3 of 3 cases" in said
    assert "3 cases: 2 done, 1 skipped." in said and said.rstrip().endswith(str(out))
    assert "doe" not in said.replace(str(tmp_path), "").lower()
    for name in ("summary.html", "quality.csv", "manifest.sqlite"):
        assert (out / name).is_file()
    check_case_in_the_scene(mrml_scene, out, patients.cts)


def check_case_in_the_scene(scene: Any, out: Path, cts: list[Path]) -> None:
    """CT and synthetic MR lie on each other, and nothing is called like the patient's file."""
    import numpy as np
    import slicer

    from MedUSISLib.errors import MedUSISError
    from MedUSISLib.imaging.reading import read_volume
    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.mrml.batch_case import load_case, report_of
    from MedUSISLib.mrml.result_nodes import ct_of, nodes_of

    case = load_case(out, 1)
    assert np.array_equal(slicer.util.arrayFromVolume(case.ct), read_volume(cts[0]).array_kji)
    assert case.ct.GetName() == "Case 1 CT" and ct_of(case.nodes) is case.ct
    assert nodes_of(case.nodes.mr).mask_consistency is not None and "SYNTHETIC" in case.nodes.mr.GetName()
    assert case.nodes.mr.GetImageData().GetDimensions() == case.ct.GetImageData().GetDimensions()
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        told = [node.GetName(), *(node.GetAttribute(name) for name in node.GetAttributeNames())]
        assert "doe" not in " ".join(filter(None, told)).lower()
    assert report_of(out, 1).is_file() and report_of(out, 99) is None

    nodes = scene.GetNumberOfNodes()
    away = cts[1].with_name("away.nii.gz")
    cts[1].rename(away)
    try:
        with pytest.raises(MedUSISError, match="not where it was"):
            load_case(out, 2)
    finally:
        away.rename(cts[1])
    content, other = cts[1].read_bytes(), read_volume(cts[1])
    try:
        write_volume(other.with_array(np.roll(other.array_kji, 1, 2)), cts[1])
        with pytest.raises(MedUSISError, match="another CT lies where"):
            load_case(out, 2)
    finally:
        cts[1].write_bytes(content)
    quality = out / "cases" / "case-0002" / "quality.json"
    quality.unlink()
    with pytest.raises(MedUSISError, match="missing or damaged"):
        load_case(out, 2)
    with pytest.raises(MedUSISError, match="no result"):
        load_case(out, 3)
    with pytest.raises(MedUSISError, match="not in this batch"):
        load_case(out, 4)
    assert scene.GetNumberOfNodes() == nodes


def test_a_dry_run_says_what_there_is_and_writes_nothing(
    script: Any, arguments: list[str], tmp_path: Path, capsys: Any
) -> None:
    table = tmp_path / "cases.csv"
    assert script.main([*arguments, "--dry-run", "--write-table", str(table)]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "3 CTs, 2 with their segmentation, 1 without" in said and "  <-  no segmentation" in said
    assert list(tmp_path.iterdir()) == [table] and str(table) in said and table.read_text().count("ct.nii.gz") >= 3
    table.write_text("ct\nmine.nii.gz\n")
    assert script.main([*arguments, "--dry-run", "--write-table", str(table)]) == 2
    assert "exists already" in capsys.readouterr().err and "mine" in table.read_text()


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"--passes": "0"}, 2), ({"--mode": "sideways"}, 2), ({"--workers": "many"}, 2), ({"--write-table": "x.csv"}, 2)],
)
def test_each_error_has_its_exit_code(
    script: Any, arguments: list[str], changed: dict[str, str], code: int, tmp_path: Path, capsys: Any
) -> None:
    assert script.main([*arguments, *(text for pair in changed.items() for text in pair)]) == code
    assert capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_packages_are_named_and_nothing_is_installed(
    script: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from MedUSISLib.mrml import headless_batch
    from MedUSISLib.mrml.installation_status import dependency_status

    status = dependency_status([])
    monkeypatch.setattr(headless_batch, "dependency_status", lambda: status)
    assert script.main(arguments) == 33
    assert status.sentence in capsys.readouterr().err


def test_help_needs_neither_slicer_nor_anything_else() -> None:
    for arguments in (["--help"], ["--", "--help"]):
        done = subprocess.run([sys.executable, "-S", str(SCRIPT), *arguments], capture_output=True, text=True)
        assert "--retry-failed" in done.stdout, done.stderr


def test_options_mean_the_same_to_script_and_command_line(script: Any) -> None:
    from typer.main import get_command

    from MedUSISLib.cli.main import app

    command = get_command(app).commands["batch"]  # type: ignore[attr-defined]
    of_command = {option for parameter in command.params for option in parameter.opts}
    of_script = {option for action in script._parser()._actions for option in action.option_strings}
    assert of_script - of_command <= {"-h", "--help"}
    assert of_command - of_script <= {"--json-events", "--background", "--cluster", "--part", "--compile"}
