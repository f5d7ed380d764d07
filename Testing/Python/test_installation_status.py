"""What is missing is said with reason and size, quickly, and without what is missing."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_site_packages import add_needed, add_package, add_torch

from MedUSISLib.mrml.installation_status import dependency_status
from MedUSISLib.mrml.requirements import (
    NEEDED,
    READING,
    SHIPPED_WITH_SLICER,
    STUDIES,
    TORCH_REQUIREMENT,
    TRAINING,
    NeededPackage,
)

REPOSITORY = Path(__file__).resolve().parents[2]
OF_TRAINING = ("training", "evaluation", "dataset", "runs")


def test_everything_there(tmp_path: Path) -> None:
    add_torch(tmp_path)
    add_needed(tmp_path)
    status = dependency_status([str(tmp_path)])
    assert status.complete and status.missing == () and status.download_mb == 0
    assert "Everything" in status.sentence


def test_fresh_slicer_is_told_what_why_and_how_large(tmp_path: Path) -> None:
    status = dependency_status([str(tmp_path)])
    assert not status.complete and status.torch == "absent"
    assert status.missing == tuple(package.requirement for package in NEEDED)
    for words in ("PyTorch", "130 to 200 MB", "2 to 3 GB", "26 MB"):
        assert words in status.sentence
    for package in NEEDED:
        assert f"{package.name} ({package.reason})" in status.sentence
    assert 150 < status.download_mb < 260


def test_one_missing_package(tmp_path: Path) -> None:
    add_torch(tmp_path)
    add_needed(tmp_path, without=["nibabel"])
    status = dependency_status([str(tmp_path)])
    assert status.missing == ("nibabel",) and status.download_mb == 4
    assert "one Python package (download about 4 MB)" in status.sentence and "PyTorch" not in status.sentence


def test_package_that_is_too_old_is_missing(tmp_path: Path) -> None:
    add_torch(tmp_path)
    add_needed(tmp_path, without=["pydantic"])
    add_package(tmp_path, "pydantic", "1.10.2", "pydantic")
    assert dependency_status([str(tmp_path)]).missing == ("pydantic>=2",)


def test_package_whose_files_are_gone_is_missing(tmp_path: Path) -> None:
    add_torch(tmp_path)
    add_needed(tmp_path, without=["monai"])
    add_package(tmp_path, "monai", "1.6.1", module=None)
    assert dependency_status([str(tmp_path)]).missing == ("monai",)


def test_broken_torch_comes_first(tmp_path: Path) -> None:
    add_torch(tmp_path)
    (tmp_path / "torch" / "version.py").unlink()
    status = dependency_status([str(tmp_path)])
    assert status.torch == "broken" and not status.complete
    assert "cannot be used" in status.sentence and "Uninstall" in status.torch_hint


def test_status_is_quick(tmp_path: Path) -> None:
    for number in range(300):
        add_package(tmp_path, f"package{number}", "1.0", f"package{number}")
    add_torch(tmp_path)
    add_needed(tmp_path)
    dependency_status([str(tmp_path)])
    durations = []
    for _ in range(5):
        began = time.thread_time()  # of the processor, so that a busy machine does not matter
        dependency_status([str(tmp_path)])
        durations.append(time.thread_time() - began)
    assert min(durations) < 0.1


def test_status_works_in_a_slicer_that_has_nothing() -> None:
    script = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name)
BLOCKED = {"pydantic", "psutil", "yaml", "skimage", "nibabel", "monai", "torch", "matplotlib", "safetensors", "numpy",
           "slicer", "vtk", "qt"}
sys.meta_path.insert(0, Block())
from MedUSISLib.mrml.installation import Installation
status = Installation([]).status()
assert not status.complete and len(status.missing) == 6, status
assert not BLOCKED & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "packages"),
    [("requirements", NEEDED), ("requirements-training", TRAINING), ("requirements-studies", STUDIES)],
)
def test_requirements_file_is_the_same_list(file: str, packages: tuple[NeededPackage, ...]) -> None:
    lines = (REPOSITORY / f"{file}.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [p.requirement for p in packages]


def test_training_asks_for_more_than_synthesis(tmp_path: Path) -> None:
    add_torch(tmp_path)
    add_needed(tmp_path)
    assert dependency_status([str(tmp_path)]).complete
    status = dependency_status([str(tmp_path)], needed=(*NEEDED, *TRAINING))
    assert not status.complete and status.missing == ("lightning-fabric", "PyYAML", "scikit-image")
    assert "16 MB" in status.sentence and "configuration files of trainings" in status.sentence
    for package in TRAINING:
        add_package(tmp_path, package.name, "9.0", package.module)
    assert dependency_status([str(tmp_path)], needed=(*NEEDED, *TRAINING)).complete


def test_installing_for_training_takes_the_training_packages(tmp_path: Path) -> None:
    from MedUSISLib.mrml.installation import Installation

    add_torch(tmp_path)
    add_needed(tmp_path)
    assert Installation([str(tmp_path)]).status().complete
    assert Installation([str(tmp_path)], (*NEEDED, *TRAINING)).status().missing == tuple(p.name for p in TRAINING)


def test_reading_a_study_asks_for_three_packages_and_no_torch(tmp_path: Path) -> None:
    status = dependency_status([str(tmp_path)], needed=READING, with_torch=False)
    assert status.missing == ("nibabel", "pydantic>=2", "SQLAlchemy>=2") and not status.complete
    assert "PyTorch" not in status.sentence and status.torch == "present"
    for package in READING:
        add_package(tmp_path, package.name, "9.0", package.module)
    assert dependency_status([str(tmp_path)], needed=READING, with_torch=False).complete
    assert dependency_status([str(tmp_path)], needed=STUDIES, with_torch=False).missing == (
        "matplotlib",
        "openpyxl",
        "psutil",
        "scikit-image",
    )


def test_torch_requirement_is_that_of_the_package() -> None:
    assert f'"torch{TORCH_REQUIREMENT}"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "part",
    [
        "anatomy",
        "imaging",
        "dicom",
        "networks",
        "generators",
        "synthesis",
        "segmentation",
        "jobs",
        ".",
        "study",
        *OF_TRAINING,
    ],
)
def test_what_the_jobs_import_is_there_or_is_asked_for(part: str) -> None:
    asked_for = (*NEEDED, *TRAINING) if part in OF_TRAINING else STUDIES if part == "study" else NEEDED
    known = {
        "PIL",
        "SimpleITK",
        "highdicom",
        "pydicom",
        "scipy",
        "numpy",
        "torch",
        "MedUSISLib",
        *(p.module for p in asked_for),
    }
    known -= {"torch"} if part == "study" else set()
    optional = {"totalsegmentator", "tensorboardX"}
    package = REPOSITORY / "MedUSISLib" / part
    for path in sorted(package.glob("*.py") if part == "." else package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                root = name.split(".")[0]
                assert root in known | optional or root in sys.stdlib_module_names, f"{path.name} imports {name}"


def test_what_slicer_ships_is_not_asked_for() -> None:
    assert not {package.name for package in (*NEEDED, *TRAINING, *STUDIES)} & set(SHIPPED_WITH_SLICER)
