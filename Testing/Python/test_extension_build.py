"""CMake really configures, builds and installs the extension, against a stand-in for Slicer's CMake package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from slicer_build import build_and_install, configure

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("make")), reason="needs cmake and make to build the extension"
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("extension")


@pytest.fixture(scope="module")
def configured(work: Path) -> str:
    return configure(REPOSITORY, work)


@pytest.fixture(scope="module")
def installed(configured: str, work: Path) -> Path:
    return build_and_install(work)


def files_of(folder: Path, *patterns: str) -> set[str]:
    found = {p for pattern in patterns for p in folder.rglob(pattern) if p.is_file()}
    return {p.relative_to(folder).as_posix() for p in found if "__pycache__" not in p.parts}


def test_texts_of_the_extension_reach_slicer(configured: str) -> None:
    said = dict(line.split("METADATA ")[1].split("=", 1) for line in configured.splitlines() if "METADATA " in line)
    assert said["DEPENDS"] == "PyTorch"
    assert Path(said["LICENSE_FILE"]) == REPOSITORY / "LICENSE"
    assert all(said.values())
    assert not any(";" in value for value in said.values())


def test_module_test_runs_with_and_without_a_main_window(configured: str) -> None:
    tests = [
        line.split("UNITTEST ")[1].replace(";", " ").split() for line in configured.splitlines() if "UNITTEST " in line
    ]
    assert ["MedUSIS.py"] in tests
    assert any("--no-main-window" in test for test in tests)


def test_whole_library_is_installed(installed: Path) -> None:
    wanted = {name for name in files_of(REPOSITORY / "MedUSISLib", "*.py") if not name.startswith("_resources/")}
    assert files_of(installed / "MedUSISLib", "*.py") == wanted


def test_whole_window_is_installed(installed: Path) -> None:
    window = REPOSITORY / "MedUSIS"
    wanted = files_of(window, "*.py", "*.ui", "*.png", "*.svg")
    assert {"MedUSIS.py", "Resources/Icons/MedUSIS.png", "Scripts/synthesize.py"} <= wanted
    assert {p for p in files_of(installed, "*") if not p.startswith("MedUSISLib/")} == wanted


def test_data_is_installed_inside_the_library(installed: Path) -> None:
    sys_path_first = f"import sys; sys.path.insert(0, {str(installed)!r})\n"
    program = sys_path_first + "from MedUSISLib.resources import resource_path; print(resource_path())"
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True)
    data = installed / "MedUSISLib" / "_resources"
    assert Path(done.stdout.strip()) == data
    wanted = set()
    for folder in ("Generators", "SampleData", "Schemas", "Training"):
        wanted |= {f"{folder}/{name}" for name in files_of(REPOSITORY / "Resources" / folder, "*")}
    assert files_of(data, "*") == wanted | {
        "LICENSE",
        "NOTICE",
        "requirements.txt",
        "requirements-training.txt",
        "requirements-studies.txt",
    }


def test_installed_folders_are_those_of_the_wheel() -> None:
    setup = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    cmake = (REPOSITORY / "MedUSISLib" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert 'SHIPPED = ("Generators", "SampleData", "Schemas", "Training")' in setup
    assert "foreach(folder Generators SampleData Schemas Training)" in cmake
