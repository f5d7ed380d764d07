"""The user is asked once; what stands in the way is said before anything is changed."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
from fake_site_packages import add_needed, add_package, add_torch, add_wheel
from fake_slicer_python import FakeSlicer

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.installation import Installation, InstallationDeclined
from MedUSISLib.mrml.requirements import NEEDED

ALL = [package.requirement for package in NEEDED]
NAMES = [package.name for package in NEEDED]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A fresh Slicer's packages."""
    folder = tmp_path / "site-packages"
    add_package(folder, "numpy", "2.4.6", "numpy")
    add_package(folder, "typing_extensions", "4.15.0", "typing_extensions")
    add_package(folder, "setuptools", "82.0.1", "setuptools")
    add_package(folder, "somebody-elses", "0.1", "somebody")
    return folder


@pytest.fixture
def slicer(site: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlicer:
    fake = FakeSlicer(site)
    fake.put_in_place(monkeypatch)
    return fake


def installation(slicer: FakeSlicer) -> Installation:
    return Installation([str(slicer.site)])


def refusal(slicer: FakeSlicer, wheels: Path | None = None) -> MedUSISError:
    with pytest.raises(MedUSISError) as raised:
        installation(slicer).install(wheels)
    assert raised.value.code is ErrorCode.DEPENDENCY_MISSING
    return raised.value


def test_one_question_then_torch_then_the_rest(slicer: FakeSlicer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    status = installation(slicer).install()
    assert status.complete and not status.restart_needed
    [question] = slicer.questions
    for words in ("PyTorch", "130 to 200 MB", "2 to 3 GB", *NAMES, "nothing about you or your data is sent"):
        assert words in question
    assert slicer.calls == [("installTorch", ["False", ">=2.6"]), ("pip_ensure", NAMES)]
    assert slicer.options == {"prompt_install": False, "prompt_restart": False, "requester": "MedUSIS"}
    assert "PIP_CONSTRAINT" not in os.environ


def test_what_slicer_brings_and_the_new_torch_keep_their_version(
    slicer: FakeSlicer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Jane Doe"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    installation(slicer).install()
    [constraints] = slicer.constraints
    assert set(constraints) == {"numpy==2.4.6", "typing-extensions==4.15.0", "torch==2.13.0+cpu"}
    assert (slicer.pip_constraint or "").split() == ["numpy==2.4.6", "typing-extensions==4.15.0"]


def test_complete_installation_asks_nothing(slicer: FakeSlicer, site: Path) -> None:
    add_torch(site)
    add_needed(site)
    assert installation(slicer).install().complete
    assert not slicer.questions and not slicer.calls


def test_declined_changes_nothing_and_says_so(slicer: FakeSlicer) -> None:
    slicer.answer = False
    refused = refusal(slicer)
    assert isinstance(refused, InstallationDeclined) and "you declined" in refused.message
    assert not slicer.calls


def test_slicer_5_10_asks_too_and_installs_with_pip(slicer: FakeSlicer, monkeypatch: pytest.MonkeyPatch) -> None:
    slicer.put_in_place(monkeypatch, packaging=False)
    assert installation(slicer).install().complete
    assert len(slicer.questions) == 1
    assert slicer.calls[1] == ("util.pip_install", ALL)
    assert "numpy==2.4.6" in slicer.constraints[0]


def test_without_the_extension_nothing_is_asked(slicer: FakeSlicer, monkeypatch: pytest.MonkeyPatch) -> None:
    slicer.put_in_place(monkeypatch, extension=False)
    refused = refusal(slicer)
    assert "Extensions Manager" in refused.hint and "PyTorch" in refused.hint
    assert not slicer.questions and not slicer.calls


def test_extension_is_not_needed_when_torch_is_there(
    slicer: FakeSlicer, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slicer.put_in_place(monkeypatch, extension=False)
    add_torch(site)
    assert installation(slicer).install().complete
    assert "PyTorch" not in slicer.questions[0]


@pytest.mark.parametrize("version", ["2.1.0", None])
def test_torch_in_the_way_is_explained_before_asking(slicer: FakeSlicer, site: Path, version: str | None) -> None:
    add_torch(site, version or "2.13.0")
    if version is None:
        (site / "torch" / "__init__.py").unlink()
    refused = refusal(slicer)
    assert "Uninstall PyTorch, restart Slicer" in refused.hint
    assert not slicer.questions and not slicer.calls


@pytest.mark.parametrize(
    ("setting", "words"),
    [("testing", "while Slicer runs tests"), ("no_main_window", "no window"), ("in_progress", "other packages")],
)
def test_when_it_is_not_the_time_nothing_is_asked(
    slicer: FakeSlicer, monkeypatch: pytest.MonkeyPatch, setting: str, words: str
) -> None:
    setattr(slicer, setting, True)
    slicer.put_in_place(monkeypatch)
    assert words in refusal(slicer).message
    assert not slicer.questions and not slicer.calls


def test_failure_of_pip_names_what_to_do(slicer: FakeSlicer, site: Path) -> None:
    add_torch(site)
    slicer.pip_fails = True
    assert "internet connection" in refusal(slicer).hint


def test_failure_of_torch_ends_it(slicer: FakeSlicer) -> None:
    slicer.torch_fails = True
    assert "PyTorch could not be installed" in refusal(slicer).message
    assert len(slicer.calls) == 1


def test_torch_that_slicer_cannot_import_may_work_in_the_child(slicer: FakeSlicer) -> None:
    slicer.torch_import_fails = True
    assert installation(slicer).install().complete


def test_what_is_still_missing_afterwards_is_named(slicer: FakeSlicer) -> None:
    slicer.installs_only = tuple(name for name in NAMES if name != "nibabel")
    assert "still missing: nibabel" in refusal(slicer).message


def test_package_without_files_is_installed_over(slicer: FakeSlicer, site: Path) -> None:
    add_torch(site)
    add_package(site, "monai", "1.6.1", module=None)
    assert installation(slicer).install().complete
    assert slicer.calls[0] == ("pip_install", ["--ignore-installed", "--no-deps", "monai"])


def test_restart_is_asked_for_when_a_loaded_package_was_replaced(
    slicer: FakeSlicer, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_torch(site)
    add_package(site, "psutil", "1.0", module=None)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setitem(sys.modules, "psutil", ModuleType("psutil"))
    (site / "psutil-1.0.dist-info" / "METADATA").write_text("Name: psutil\nVersion: 0.9\n")
    subject = installation(slicer)
    status = subject.install()
    assert status.restart_needed and "restart Slicer" in status.sentence
    assert subject.status().restart_needed


def test_folder_of_wheels_is_checked_before_the_question(slicer: FakeSlicer, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    add_wheel(wheels, "matplotlib", "3.11.2", ["kiwisolver"])
    refused = refusal(slicer, wheels)
    for name in ("torch>=2.6", "kiwisolver", *(n for n in NAMES if n not in ("matplotlib", "pydantic"))):
        assert name in refused.message
    assert "matplotlib" not in refused.message
    assert str(wheels) not in refused.message and refused.path == wheels
    assert not slicer.questions and not slicer.calls
    assert "not there" in refusal(slicer, tmp_path / "nowhere").message


@pytest.mark.parametrize("packaging", [True, False])
def test_folder_of_wheels_is_all_that_is_used(
    slicer: FakeSlicer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packaging: bool
) -> None:
    slicer.put_in_place(monkeypatch, packaging=packaging, extension=False)
    wheels = tmp_path / "wheels of the hospital"
    for name in ("torch", *NAMES):
        add_wheel(wheels, name, "9.1")
    assert installation(slicer).install(wheels).complete
    assert "Nothing is downloaded" in slicer.questions[0]
    [(caller, arguments)] = slicer.calls
    assert caller == ("pip_install" if packaging else "util.pip_install")
    assert arguments == ["--no-index", "--find-links", str(wheels), "torch>=2.6", *ALL]
