"""The module's test inside Slicer: a tiny study from its making to the last answer, read through buttons and keys.

Runs with and without a main window (``ctest``, or "Reload and Test"). It never installs anything: without the packages
the parts that need none are run, and those that were left out are named.
"""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from typing import Any

from MedUSISGui.self_test_case import SelfTestCase


class SelfTest(SelfTestCase):
    """From a package that is not there to the last answer of a study."""

    module_title = "MedUSIS Reader"

    def test_panel_opens_and_wants_a_package(self) -> None:
        widget = _module_widget()
        widget.ui.packageEdit.text = ""
        assert not widget.ui.readButton.enabled
        assert widget.panel.room is None

    def test_a_study_is_read_to_its_end(self) -> None:
        import slicer

        _require_packages_and_window()
        widget = _module_widget()
        with tempfile.TemporaryDirectory() as folder:
            package = write_tiny_package(Path(folder))
            layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
            before = layout.GetViewArrangement()
            assert widget.read(package, "R1"), widget.ui.errorTextLabel.text
            room = widget.panel.room
            for _step in range(20):
                if not room.is_open:
                    break
                _go_on(room)
                slicer.app.processEvents()
            assert not room.is_open
            assert layout.GetViewArrangement() == before
            answered = _answers(package)
            assert [values["source"] for values in answered] == ["real", "synthetic"], answered
            assert all(values["confidence"] > 50 for values in answered)


def write_tiny_package(folder: Path) -> Path:
    """A package of two trials, each an image of 16 x 16 x 8 voxels; needs no study."""
    import hashlib
    import zipfile

    import numpy as np

    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.study.package import PACKAGE_NAME, Package, Panel, Stage, Trial
    from MedUSISLib.study.protocol import visual_turing
    from MedUSISLib.study.versioned import to_json

    protocol = visual_turing("self-test")
    names = ["0123456789abcdef", "fedcba9876543210"]
    contents = {}
    for seed, name in enumerate(names):
        array = np.random.default_rng(seed).integers(0, 256, (8, 16, 16)).astype(np.uint8)
        file = folder / f"{name}.nii"
        write_volume(Volume(array, Geometry((16, 16, 8), (8.0, 8.0, 8.0))), file)
        contents[f"trials/{name}.nii"] = file.read_bytes()
    package = Package(
        study=protocol.id,
        reader="R1",
        protocol_sha256=protocol.binding_sha256,
        questions=protocol.questions,
        display=protocol.display,
        trials=tuple(
            Trial(id=name[::-1], session=1, stages=(Stage(panels=(Panel(place="mr", image=name),)),)) for name in names
        ),
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    path = folder / "R1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(PACKAGE_NAME, to_json(package))
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def _go_on(room: Any) -> None:
    """Answer what is shown: the first trial is real, the second one synthetic."""
    if room.flow.step != "trial":
        room.ui.continueButton.click()
        return
    choice, confidence = room.trial.fields
    choice.buttons[0 if room.flow.now().number == 1 else 1].click()
    confidence.slider.setValue(80)
    room.ui.confirmButton.click()


def _answers(package: Path) -> list[Any]:
    from MedUSISLib.mrml.reading_start import answers_beside
    from MedUSISLib.study.answers import AnswerStore

    with AnswerStore(answers_beside(package)) as store:
        store.check()
        return [row.values for row in store.rows("R1") if row.kind == "answer"]


def _module_widget() -> Any:
    import slicer

    if getattr(getattr(slicer, "modules", None), "medusisreader", None) is None:
        raise unittest.SkipTest("there is no application")
    slicer.modules.medusisreader.widgetRepresentation()
    return slicer.modules.MedUSISReaderWidget


def _require_packages_and_window() -> None:
    import slicer

    from MedUSISLib.mrml.installation_status import dependency_status
    from MedUSISLib.mrml.requirements import READING

    if not dependency_status(needed=READING, with_torch=False).complete:
        raise unittest.SkipTest("packages are missing")
    if slicer.util.mainWindow() is None:
        raise unittest.SkipTest("there is no main window")
