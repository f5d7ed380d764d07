"""A folder of wheels is checked before anything is installed, with all that the wheels need in their turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_site_packages import add_wheel

from MedUSISLib.mrml.wheels import missing_wheels


def lacking(folder: Path, *requirements: str, installed: dict[str, str] | None = None) -> list[str]:
    return missing_wheels(folder, requirements, (installed or {}).get, pinned=["numpy", "typing_extensions"])


def test_complete_folder_lacks_nothing(tmp_path: Path) -> None:
    add_wheel(tmp_path, "torch", "2.13.0+cpu", ["sympy", "triton; platform_system == 'Atari'", "x; extra == 'opt'"])
    add_wheel(tmp_path, "sympy", "1.14.0", ["mpmath<1.4"])
    add_wheel(tmp_path, "mpmath", "1.3.0")
    (tmp_path / "notes.txt").write_text("not a wheel")
    (tmp_path / "strange.whl").write_text("not a wheel either")
    assert lacking(tmp_path, "torch>=2.6") == []


def test_wheels_needed_by_wheels_are_named(tmp_path: Path) -> None:
    add_wheel(tmp_path, "matplotlib", "3.11.2", ["numpy>=1.25", "kiwisolver>=1.3.1", "contourpy"])
    add_wheel(tmp_path, "contourpy", "1.3.3", ["numpy"])
    assert lacking(tmp_path, "matplotlib", "nibabel", installed={"numpy": "2.4.6"}) == ["kiwisolver>=1.3.1", "nibabel"]


@pytest.mark.parametrize(
    ("version", "tag", "words"),
    [
        ("2.13.0", "cp27-cp27m-win32", "for another Python or system"),
        ("2.5.0", "py3-none-any", "another version"),
    ],
)
def test_wheel_that_does_not_fit_is_no_wheel(tmp_path: Path, version: str, tag: str, words: str) -> None:
    add_wheel(tmp_path, "torch", version, tag=tag)
    [found] = lacking(tmp_path, "torch>=2.6")
    assert found.startswith("torch>=2.6") and words in found


def test_installed_package_needs_no_wheel_unless_its_version_does_not_do(tmp_path: Path) -> None:
    add_wheel(tmp_path, "pydantic", "2.13.5", ["typing-extensions>=4.14"])
    assert lacking(tmp_path, "pydantic>=2", installed={"typing-extensions": "4.15.0"}) == []
    assert lacking(tmp_path, "pydantic>=2", installed={"typing-extensions": "4.1.0"}) == [
        "typing-extensions>=4.14 (Slicer has 4.1.0)"
    ]


def test_older_wheel_is_taken_when_the_newest_does_not_fit_slicer(tmp_path: Path) -> None:
    add_wheel(tmp_path, "pydantic", "2.14.3", ["typing-extensions>=4.16"])
    add_wheel(tmp_path, "pydantic", "2.13.5", ["typing-extensions>=4.14"])
    assert lacking(tmp_path, "pydantic>=2", installed={"typing-extensions": "4.15.0"}) == []


def test_damaged_wheel_is_named(tmp_path: Path) -> None:
    add_wheel(tmp_path, "monai", "1.6.1").write_bytes(b"half a download")
    assert lacking(tmp_path, "monai") == ["monai (its wheel is damaged)"]


def test_circles_come_to_an_end(tmp_path: Path) -> None:
    add_wheel(tmp_path, "a", "1.0", ["b"])
    add_wheel(tmp_path, "b", "1.0", ["a"])
    assert lacking(tmp_path, "a") == []
