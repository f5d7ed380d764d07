"""Imports go one way, torch stays where it belongs, and importing a package loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "MedUSISLib"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SUBPACKAGES = sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py"))

LEVELS = [
    {"cli", "mrml"},
    {"batch", "runs"},
    {"jobs"},
    {"synthesis", "segmentation", "training", "evaluation", "study", "dataset", "dicom"},
    {"generators"},
    {"networks", "imaging", "anatomy"},
    {"errors", "progress", "resources", "leftovers", "output_directory", "plain_reasons", "signal", "single_run",
     "library_words", "private_folder", "stillness", "small_files", "strict_json", "trouble", "user_folders", "heap",
     "printable"},
]
"""Highest first: a module imports from its own level and those below."""

MAY_USE_TORCH = {"networks", "generators", "synthesis", "segmentation", "training", "evaluation"}
SLICER_ONLY = {"slicer", "vtk", "qt", "ctk"}


def part_of(path: Path) -> str:
    """The subpackage, or the name of a module that lies in the package itself."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_names(path: Path) -> set[str]:
    """Absolute names of what a file imports, anywhere in it, except for the type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in node.body
        for inner in ast.walk(child)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            found.add(node.module or "")
            if node.module == "MedUSISLib":
                found |= {f"MedUSISLib.{alias.name}" for alias in node.names}
    return found


def level_of(part: str) -> int:
    return next(number for number, parts in enumerate(LEVELS) if part in parts)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert not any(name.startswith("MedUSISLib") for name in imported_names(path))
        return
    for name in imported_names(path):
        if name.startswith("MedUSISLib."):
            target = name.split(".")[1]
            if target == "__version__":
                continue
            assert level_of(target) >= level_of(part), f"{part} must not import {target}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_torch_and_slicer_stay_where_they_belong(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported_names(path)}
    part = part_of(path)
    if part not in MAY_USE_TORCH:
        assert not roots & {"torch", "monai", "lightning_fabric"}, f"{part} must not import torch"
    if part != "mrml":
        assert not roots & SLICER_ONLY, f"{part} must not know Slicer"


@pytest.mark.parametrize("name", ["", *(f".{p}" for p in SUBPACKAGES)])
def test_importing_a_package_loads_nothing_heavy(name: str) -> None:
    script = (
        f"import sys, MedUSISLib{name}\n"
        "heavy = {'torch', 'SimpleITK', 'monai', 'skimage', 'scipy', 'nibabel', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_subpackage_says_what_lives_in_it() -> None:
    for subpackage in SUBPACKAGES:
        text = (PACKAGE / subpackage / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), subpackage


@pytest.mark.parametrize(
    "module",
    [
        "jobs.launcher",
        "jobs.run",
        "runs.store",
        "runs.worker",
        "cli.main",
        "cli.running",
        "synthesis.request",
        "segmentation.request",
        "training.configuration",
        "dataset.request",
        "batch.request",
        "batch.manifest",
        "batch.folder",
        "anatomy.schema",
    ],
)
def test_modules_of_the_slicer_side_load_neither_torch_nor_simpleitk(module: str) -> None:
    script = (
        f"import sys, MedUSISLib.{module}\n"
        "heavy = {'torch', 'SimpleITK', 'monai'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
