"""The whole example: its protocols, and a reader who clicks on every lesion in the room and hits every one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reading_studies import MODULE_FILE, make_study

from MedUSISLib.mrml.reading_start import answers_beside
from MedUSISLib.study.key import load_study
from MedUSISLib.study.lesions import Outcome
from MedUSISLib.study.readings import readings

UTILITIES = Path(__file__).resolve().parents[2] / "Utilities"
DATA = Path(os.environ.get("MEDUSIS_DATA", "-"))


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(UTILITIES))
    import demo_study

    return demo_study


def test_its_protocols_are_valid(demo) -> None:
    protocols = demo.protocols()
    assert {name: one.model_validate(one.model_dump()) for name, one in protocols.items()} == protocols
    assert [arm.panels for arm in protocols["lesions"].arms] == [("real",), ("real", "second")]


def test_marks_clicked_on_lesions_are_hits(demo, slicer_window, tmp_path: Path) -> None:
    study = make_study(tmp_path, "lesions")
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.mainWindow().show()
    slicer_window.slicer.util.selectModule("MedUSISReader")
    widget = slicer_window.slicer.modules.MedUSISReaderWidget
    assert widget.read(study.package, "R1")
    sure = demo.Skill(right=1.0, unsure=0.0, finds={"ct": 1.0, "ct-synthetic": 1.0}, false_marks=0.0)
    reader = demo.SimulatedReader(
        slicer_window,
        widget.panel.room,
        key=load_study(study.folder)[1],
        skill=sure,
        pictures={2: tmp_path / "room.png"},
    )
    reader.read()
    found = readings(study.folder, answers_beside(study.package))
    assert {(one.trial, one.stage): dict(one.values) for one in found} == reader.said
    assert sum(len(one.lesions) for one in found) >= 4
    for one in found:
        assert [mark.outcome for mark in one.marks] == [Outcome.HIT] * len(one.lesions)
        assert one.values["present"] == ("yes" if one.lesions else "no")
    assert (tmp_path / "room.png").stat().st_size > 10_000


@pytest.mark.long
@pytest.mark.skipif(not (DATA / "lesions").is_dir(), reason="MEDUSIS_DATA names no data")
def test_the_whole_example(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(UTILITIES / "demo_study.py"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("12 answers through the room, all found by the study") == 6
    assert all((tmp_path / name / "results" / "report.html").is_file() for name in ("volumes", "slices", "lesions"))
