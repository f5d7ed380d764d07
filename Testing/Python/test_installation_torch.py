"""A torch that cannot work is recognised from its files, without importing it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_site_packages import add_torch

from MedUSISLib.mrml.torch_state import TorchState, torch_state


def state_of(site: Path) -> TorchState:
    return torch_state(["", str(site), str(site), str(site / "not-there")])


def test_nothing_there_is_absent(tmp_path: Path) -> None:
    assert state_of(tmp_path) == TorchState("absent")


@pytest.mark.parametrize("version", ["2.6.0", "2.13.0+cpu", "2.10.0+cu130", "3.0.1"])
def test_complete_torch_is_present(tmp_path: Path, version: str) -> None:
    add_torch(tmp_path, version)
    assert state_of(tmp_path) == TorchState("present", "", version)


def test_old_torch_is_named_with_its_version(tmp_path: Path) -> None:
    add_torch(tmp_path, "2.5.1+cu121")
    found = state_of(tmp_path)
    assert (found.state, found.version) == ("too old", "2.5.1+cu121")
    assert "2.5.1" in found.detail and "2.6" in found.detail and "Uninstall" in found.hint


def without(*parts: str) -> Callable[[Path, Path], None]:
    def damage(site: Path, info: Path) -> None:
        for part in parts:
            path = info / part if part.isupper() else site / "torch" / part
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def without_package(site: Path, info: Path) -> None:
    shutil.rmtree(site / "torch")


def without_info(site: Path, info: Path) -> None:
    shutil.rmtree(info)


def other_version_of_files(site: Path, info: Path) -> None:
    (site / "torch" / "version.py").write_text("__version__ = '2.7.0+cpu'\n")


def empty_metadata(site: Path, info: Path) -> None:
    (info / "METADATA").write_text("")


def second_record(site: Path, info: Path) -> None:
    add_torch(site, "2.8.0")


def leftovers(site: Path, info: Path) -> None:
    without_package(site, info)
    (site / "~orch").mkdir()
    (site / "~orch-2.6.0.dist-info").mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_package, "its files are missing"),
        (without_info, "installation record is missing"),
        (without("RECORD"), "record of PyTorch is incomplete"),
        (without("METADATA"), "has no version"),
        (empty_metadata, "has no version"),
        (without("__init__.py"), "only in part"),
        (without("_C.cpython-312-x86_64-linux-gnu.so"), "its core is missing"),
        (without("lib"), "its libraries are missing"),
        (without("version.py"), "its version is missing"),
        (other_version_of_files, "2.7.0+cpu are mixed with those of 2.13.0+cpu"),
        (second_record, "several versions of PyTorch are mixed (2.13.0+cpu, 2.8.0)"),
        (leftovers, "(~orch, ~orch-2.6.0.dist-info)"),
    ],
)
def test_damaged_torch_is_explained(tmp_path: Path, damage: Callable[[Path, Path], None], words: str) -> None:
    damage(tmp_path, add_torch(tmp_path))
    found = state_of(tmp_path)
    assert found.state == "broken"
    assert words in found.detail
    assert "restart Slicer" in found.hint


def test_leftovers_alone_do_not_prevent_an_installation(tmp_path: Path) -> None:
    (tmp_path / "~orch").mkdir()
    found = state_of(tmp_path)
    assert found.state == "absent" and "earlier PyTorch" in found.detail and not found.hint


def test_leftovers_beside_a_complete_torch_are_no_trouble(tmp_path: Path) -> None:
    add_torch(tmp_path)
    (tmp_path / "~orch").mkdir()
    assert state_of(tmp_path).state == "present"
