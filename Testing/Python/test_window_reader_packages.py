"""The reader's module opens where nothing is installed that Slicer does not bring, and can be used when it is."""

from __future__ import annotations

import os
import subprocess
import sys

from blocked_packages import slicer_without
from reading_studies import MODULE_FILE, REPOSITORY

BLOCKED = ("pydantic", "sqlalchemy", "psutil", "torch", "nibabel", "skimage", "matplotlib", "yaml", "monai")

SCRIPT = f"""
{slicer_without(BLOCKED)}
import tempfile, pathlib
harness.load_module({str(MODULE_FILE)!r})
slicer = harness.slicer
slicer.util.mainWindow().show()
slicer.util.selectModule("MedUSISReader")
harness.process_events()
widget = slicer.modules.MedUSISReaderWidget
ui = widget.ui
assert not ui.dependencyFrame.isHidden() and "PyTorch" not in ui.dependencyLabel.text
print("READER", ui.dependencyLabel.text)
ui.packageEdit.text, ui.readerEdit.text = "R1.zip", "R1"
assert not ui.readButton.enabled
ui.administratorCheckBox.checked = True
harness.process_events()
print("ADMINISTRATOR", ui.dependencyLabel.text)
assert not ui.newStudyButton.enabled and not ui.addAnswersButton.enabled
assert harness.uncaught == [], harness.uncaught
loaded = [name for name in {BLOCKED!r} if name in sys.modules]
assert not loaded, loaded

sys.meta_path.remove(blocker)  # a reader has installed his three packages; the others stay away
blocker_of_the_rest = Blocker()
rest = [name for name in {BLOCKED!r} if name not in ("nibabel", "pydantic", "sqlalchemy")]
blocker_of_the_rest.find_spec = lambda name, path=None, target=None: (_ for _ in ()).throw(
    ModuleNotFoundError(f"No module named {{name!r}}", name=name)) if name.split(".")[0] in rest else None
sys.meta_path.insert(0, blocker_of_the_rest)
installation.dependency_status = found
ui.administratorCheckBox.checked = False
assert ui.dependencyFrame.isHidden() and ui.readButton.enabled
from MedUSISReaderGui.self_test import SelfTest, write_tiny_package
with tempfile.TemporaryDirectory() as folder:
    sys.meta_path.remove(blocker_of_the_rest)
    package = write_tiny_package(pathlib.Path(folder))  # made elsewhere, by an administrator
    for name in list(sys.modules):
        if name.split(".")[0] in rest:
            del sys.modules[name]
    sys.meta_path.insert(0, blocker_of_the_rest)
    assert widget.read(package, "R1"), ui.errorTextLabel.text
    room = widget.panel.room
    harness.press("Return")
    harness.press("1")
    harness.press("Right")
    harness.press("Return")
    assert room.flow.now().number == 2
    room.leave()
assert harness.uncaught == [], harness.uncaught
loaded = [name for name in rest if name in sys.modules]
assert not loaded, loaded
print("READ")
"""


def test_the_module_opens_without_packages_and_a_reader_needs_three(slicer_window_session):
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line and line.split()[0].isupper())
    assert "SQLAlchemy" in lines["READER"] and "matplotlib" not in lines["READER"]
    assert "scikit-image" in lines["ADMINISTRATOR"]
    assert "READ" in done.stdout.splitlines()
