"""The reading room on the screen, for its tests: the module, a reader in it, and what its views show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reading_studies import MODULE_FILE, Reader, Study, make_study

from MedUSISLib.mrml.reading_layout import view_name

_made: dict[str, Study] = {}


def new_package(factory: pytest.TempPathFactory, folder: Path, kind: str) -> Study:
    """A study of a kind with a fresh copy of its package, and so with no answers; each kind is made once."""
    if kind not in _made:
        _made[kind] = make_study(factory.mktemp(kind), kind)
    package = folder / "R1.zip"
    package.write_bytes(_made[kind].package.read_bytes())
    return Study(_made[kind].folder, package)


def open_module(slicer_window: Any) -> Any:
    """The module's widget."""
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.mainWindow().show()
    slicer_window.slicer.util.selectModule("MedUSISReader")
    return slicer_window.slicer.modules.MedUSISReaderWidget


def open_room(module: Any, study: Study) -> Any:
    assert module.read(study.package, "R1"), module.ui.errorTextLabel.text
    return module.panel.room


def reader_at_work(slicer_window: Any, module: Any, study: Study, mouse: bool = False) -> Reader:
    """A reader in the room at the first trial that counts."""
    reader = Reader(slicer_window, open_room(module, study), mouse=mouse)
    while reader.room.flow.step != "trial" or reader.room.flow.now().trial.training:
        step = reader.room.flow.step
        reader.answer() if step == "trial" else reader.fill() if step == "profile" else reader.press("Return")
    return reader


def shown_volumes(slicer: Any, count: int) -> list[Any]:
    """The volume that each view shows."""
    manager = slicer.app.layoutManager()
    composites = [manager.sliceWidget(view_name(n)).mrmlSliceCompositeNode() for n in range(1, count + 1)]
    return [slicer.mrmlScene.GetNodeByID(node.GetBackgroundVolumeID()) for node in composites]


def slice_node(slicer: Any, number: int) -> Any:
    return slicer.app.layoutManager().sliceWidget(view_name(number)).mrmlSliceNode()
