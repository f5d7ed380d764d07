#!/usr/bin/env python3
"""How long it takes from confirming an answer until the next trial is on the screen.

    OMP_NUM_THREADS=1 .venv/bin/python Testing/Benchmarks/reading_room.py

Trials of 192x240x240 voxels (a head at 1 mm), single MRs and CT beside MR, in the room in the stand-in for Slicer
(Testing/Harness) at 1600x900, drawn in software. The time holds storing the answer, showing the images and drawing the
views; the first column is that of a clock, the second the processor's, which other work on the machine does not change.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE_IJK = (192, 240, 240)
TRIALS = 10

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for place in (REPOSITORY / "Testing" / "Harness", REPOSITORY):
    sys.path.insert(0, str(place))


def main() -> int:
    """Print a row for each kind of trial."""
    import slicer_harness

    harness = slicer_harness.start()
    print("| trial | loaded ahead | median (s) | slowest (s) | processor, median (s) |\n|---|---|---|---|---|")
    for places in (("mr",), ("ct", "mr")):
        for ahead in (True, False):
            clock, processor = zip(*read(harness, places, ahead), strict=True)
            name = " + ".join(place.upper() for place in places)
            middle, slowest, spent = statistics.median(clock), max(clock), statistics.median(processor)
            print(f"| {name} | {'yes' if ahead else 'no'} | {middle:.2f} | {slowest:.2f} | {spent:.2f} |")
    return 0


def read(harness, places: tuple[str, ...], ahead: bool) -> list[tuple[float, float]]:
    """Seconds from the confirmation of each trial to the drawn next one, by the clock and of the processor."""
    slicer = harness.slicer
    harness.load_module(REPOSITORY / "MedUSIS" / "MedUSISReader.py")
    slicer.util.mainWindow().show()
    slicer.util.selectModule("MedUSISReader")
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        package = write_package(Path(folder), places)
        widget = slicer.modules.MedUSISReaderWidget
        assert widget.read(package, "R1"), widget.ui.errorTextLabel.text
        room = widget.panel.room
        if not ahead:
            room._load_ahead = lambda: None
        slicer.util.mainWindow().showNormal()
        slicer.util.mainWindow().resize(1600, 900)
        harness.press("Return")
        while True:
            if ahead:
                wanted = set(room.flow.ahead())
                harness.wait_until(lambda wanted=wanted: wanted <= set(room._images.loaded()), timeout_s=60)
            harness.press("1")
            harness.press("Right")
            if room.flow.now().number == TRIALS:
                break
            began, spent = time.perf_counter(), time.process_time()
            room.ui.confirmButton.click()
            slicer.app.processEvents()
            seconds.append((time.perf_counter() - began, time.process_time() - spent))
        room.leave()
    harness.reset()
    return seconds


def write_package(folder: Path, places: tuple[str, ...]) -> Path:
    """Trials with images of their own, all of them noise."""
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.study.package import PACKAGE_NAME, Package, Panel, Stage, Trial
    from MedUSISLib.study.protocol import visual_turing
    from MedUSISLib.study.versioned import to_json

    protocol = visual_turing("benchmark")
    path = folder / "R1.zip"
    trials, files = [], {}
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(TRIALS):
            panels = []
            for column, place in enumerate(places):
                name = f"{16 * number + column:016x}"
                kind = np.int16 if place == "ct" else np.uint8
                array = np.random.default_rng(number).integers(0, 255, SIZE_IJK[::-1]).astype(kind)
                write_volume(Volume(array, Geometry(SIZE_IJK, (1.0, 1.0, 1.0))), folder / "image.nii")
                content = (folder / "image.nii").read_bytes()
                archive.writestr(f"trials/{name}.nii", content)
                files[f"trials/{name}.nii"] = hashlib.sha256(content).hexdigest()
                panels.append(Panel(place=place, image=name))
            trials.append(Trial(id=f"{number:016x}", session=1, stages=(Stage(panels=tuple(panels)),)))
        package = Package(
            study=protocol.id,
            reader="R1",
            protocol_sha256=protocol.binding_sha256,
            questions=protocol.questions,
            display=protocol.display,
            trials=tuple(trials),
            files=files,
            breaks_after=1000,
        )
        archive.writestr(PACKAGE_NAME, to_json(package))
    return path


if __name__ == "__main__":
    sys.exit(main())
