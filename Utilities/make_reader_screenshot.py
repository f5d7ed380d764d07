#!/usr/bin/env python3
"""Picture of the reading room for the README: CT and synthetic MR of the bundled head, a mark set in both.

    make demo                                                       # out/demo/mr.nii.gz
    .venv/bin/python Utilities/make_reader_screenshot.py out/demo/mr.nii.gz [folder]

Writes ``reader.png``. The real room with the real package format in the stand-in for Slicer's window (Testing/Harness).
Look at the picture afterwards.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
CT = REPOSITORY / "Resources" / "SampleData" / "head_ct.nii.gz"
SIZE = (1600, 900)
TRIALS = 60
SHOWN = 12

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for place in (REPOSITORY / "Testing" / "Harness", REPOSITORY, REPOSITORY / "Utilities"):
    sys.path.insert(0, str(place))


def main(mr: Path, folder: Path) -> int:
    """Write reader.png."""
    import slicer_harness
    from make_screenshots import settle, take

    from MedUSISLib.mrml.reading_layout import view_name

    harness = slicer_harness.start()
    harness.load_module(REPOSITORY / "MedUSIS" / "MedUSISReader.py")
    window = harness.slicer.util.mainWindow()
    window.resize(*SIZE)
    window.show()
    harness.slicer.util.selectModule("MedUSISReader")
    with tempfile.TemporaryDirectory() as private:
        package = write_package(Path(private), mr)
        widget = harness.slicer.modules.MedUSISReaderWidget
        if not widget.read(package, "R1"):
            print(widget.ui.errorTextLabel.text)
            return 1
        room = widget.panel.room
        window.showNormal()
        window.resize(*SIZE)
        while room.flow.step != "trial" or room.flow.now().number < SHOWN:
            if room.flow.step == "trial":
                room.flow.answer({"present": "no", "confidence": 50.0, "marks": []})
                room._show()
            else:
                harness.press("Return")
        settle(harness)
        for key in (*["PgUp"] * 10, "1", *["Right"] * 6):  # up to the ventricles
            harness.press(key)
        harness.click_view(view_name(2), 0.405, 0.40)
        for key in ("2", *["Right"] * 5):
            harness.press(key)
        take(harness, folder / "reader.png")
        room.leave()
    harness.reset()
    return 0


def write_package(folder: Path, mr_file: Path) -> Path:
    """A package of trials that all show the same two images, in the form that studies have."""
    from MedUSISLib.imaging.body import body_mask
    from MedUSISLib.imaging.reading import read_volume
    from MedUSISLib.imaging.resampling import Interpolation, resample
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.study import common_form as form
    from MedUSISLib.study.package import PACKAGE_NAME, Package, Panel, Stage, Trial
    from MedUSISLib.study.protocol import CommonForm, lesion_reading
    from MedUSISLib.study.versioned import to_json

    asked = CommonForm()
    ct, mr = read_volume(CT), read_volume(mr_file)
    body = body_mask(ct)
    size = form.common_size([form.body_extent_mm(ct.geometry, body)], asked)
    grid = form.case_grid(ct.geometry, body, size, asked)
    on_grid = resample(Volume(body.astype(np.uint8), ct.geometry), grid, Interpolation.NEAREST, fill=0)
    keep = on_grid.array_kji.astype(bool) & form.covered(ct, grid)
    arrays = {
        "a" * 16: form.blinded_ct(ct, grid, keep),
        "b" * 16: form.blinded_grey(mr, grid, keep, asked, np.random.default_rng(0)),
    }
    files = {}
    for name, array in arrays.items():
        file = folder / f"{name}.nii"
        write_volume(Volume(array, form.neutral_geometry(size, asked)), file, form.DESCRIPTION)
        files[f"trials/{name}.nii"] = file.read_bytes()
    protocol = lesion_reading("picture")
    stage = Stage(panels=(Panel(place="ct", image="a" * 16), Panel(place="mr", image="b" * 16)))
    package = Package(
        study=protocol.id,
        reader="R1",
        protocol_sha256=protocol.binding_sha256,
        title=protocol.title,
        questions=protocol.questions,
        display=protocol.display,
        trials=tuple(Trial(id=f"{n:016x}", session=1, stages=(stage,)) for n in range(TRIALS)),
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    path = folder / "R1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(PACKAGE_NAME, to_json(package))
        for name, content in files.items():
            archive.writestr(name, content)
    return path


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else REPOSITORY / "Resources" / "Screenshots"
    target.mkdir(parents=True, exist_ok=True)
    sys.exit(main(Path(sys.argv[1]), target))
