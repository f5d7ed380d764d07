#!/usr/bin/env python3
"""Pictures of the module for the README and the extension's page: the bundled head from opening to review.

    .venv/bin/python Utilities/make_screenshots.py [folder]
    .venv/bin/python Utilities/make_screenshots.py --training WORKING_FOLDER [folder]
    .venv/bin/python Utilities/make_screenshots.py --batch WORKING_FOLDER [folder]

Runs the real module with the real synthesis in the stand-in for Slicer's window (Testing/Harness), so it needs no
Slicer; some minutes on two processors. Look at the pictures afterwards.

With ``--training``, fine-tune.png only: the part "Fine-tune a generator" with the scan in that working folder and the
newest background run of this user (``MEDUSIS_RUNS``), as they are. Take public data: the picture shows them.

With ``--batch``, batch.png only: the part "Batch" in the middle and at the end of a real batch of slabs of the bundled
head, two of which cannot be done. The working folder is filled; it must be new.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MOST_BYTES = 300_000
SIZE = (1280, 900)
FAILING = 3

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(REPOSITORY / "Testing" / "Harness"))
sys.path.insert(0, str(REPOSITORY))


def main(folder: Path) -> int:
    """Write module.png, progress.png and review.png."""
    import slicer_harness

    harness = slicer_harness.start()
    harness.load_module(REPOSITORY / "MedUSIS" / "MedUSIS.py")
    window = harness.slicer.util.mainWindow()
    window.resize(*SIZE)
    window.show()
    harness.slicer.util.selectModule("MedUSIS")
    widget = harness.slicer.modules.MedUSISWidget
    ui = widget.ui
    harness.wait_until(lambda: ui.deviceRefreshButton.enabled, timeout_s=120)

    ui.sampleDataButton.click()
    harness.wait_until(lambda: ui.synthesizeButton.enabled, timeout_s=60)
    harness.slicer.util.getNode("Head CT segmentation").GetDisplayNode().SetOpacity(0.5)
    show_middle(harness.slicer)
    take(harness, folder / "module.png")

    ui.passesSpinBox.value = 4
    ui.synthesizeButton.click()
    harness.wait_until(lambda: ui.progressBar.value > 350 and not ui.previewLabel.isHidden(), timeout_s=1200)
    settle(harness)
    take(harness, folder / "progress.png")

    harness.wait_until(lambda: not widget.panel.run.running, timeout_s=3600)
    if widget.panel.errors.shown:
        print(ui.errorDetailsText.plainText)
        return 1
    ui.reviewGridButton.click()
    settle(harness)
    show_middle(harness.slicer)
    take(harness, folder / "review.png")
    harness.reset()
    return 0


def training(folder: Path, working: Path) -> int:
    """Write fine-tune.png: data and settings on the left, the newest run on the right."""
    import slicer_harness

    harness = slicer_harness.start()
    harness.slicer.app.userSettings().setValue("MedUSIS/Training/WorkingFolder", str(working))
    harness.load_module(REPOSITORY / "MedUSIS" / "MedUSIS.py")
    window = harness.slicer.util.mainWindow()
    window.resize(*SIZE)
    window.show()
    harness.slicer.util.selectModule("MedUSIS")
    widget = harness.slicer.modules.MedUSISWidget
    harness.wait_until(lambda: widget.ui.deviceRefreshButton.enabled, timeout_s=300)
    for name in ("inputsCollapsibleButton", "generatorCollapsibleButton", "resultsCollapsibleButton"):
        getattr(widget.ui, name).collapsed = True
    widget.ui.fineTuneCollapsibleButton.collapsed = False
    part = widget.panel.fine_tune
    if part.parts.scan.view is None or part.parts.runs.line is None:
        print("there is no scan in the working folder, or no background run")
        return 1
    for root in part.parts.scan.view.roots:
        part.parts.folders.add(root)
    part.ui.casesTable.selectRow(0)
    harness.wait_until(lambda: "hours" in (text := part.ui.trainingEstimateLabel.text) or "minute" in text, 600)
    halves = []
    for others in (
        ("runsCollapsibleButton",),
        ("trainingDataCollapsibleButton", "trainingSettingsCollapsibleButton"),
    ):
        for button in ("runsCollapsibleButton", "trainingDataCollapsibleButton", "trainingSettingsCollapsibleButton"):
            getattr(part.ui, button).collapsed = button in others
        settle(harness)
        part.parts.runs.look()
        halves.append(half(harness, widget.ui.fineTuneCollapsibleButton, folder))
    side_by_side(halves, folder / "fine-tune.png")
    harness.reset()
    return 0


def batch(folder: Path, working: Path) -> int:
    """Write batch.png: a running batch on the left, the same when it is finished on the right."""
    import slicer_harness

    os.environ["MEDUSIS_RUNS"] = str(working / "runs")
    slabs(working / "heads")
    harness = slicer_harness.start()
    harness.slicer.app.userSettings().clear()
    harness.load_module(REPOSITORY / "MedUSIS" / "MedUSIS.py")
    window = harness.slicer.util.mainWindow()
    window.resize(*SIZE)
    window.show()
    harness.slicer.util.selectModule("MedUSIS")
    widget = harness.slicer.modules.MedUSISWidget
    harness.wait_until(lambda: widget.ui.deviceRefreshButton.enabled, timeout_s=300)
    for name in ("inputsCollapsibleButton", "generatorCollapsibleButton", "resultsCollapsibleButton"):
        getattr(widget.ui, name).collapsed = True
    widget.ui.passesSpinBox.value = 2
    widget.ui.batchCollapsibleButton.collapsed = False
    part = widget.panel.batch
    part.parts.form.choose_source(working / "heads")
    part.ui.batchLookButton.click()
    harness.wait_until(lambda: not part.parts.look.running, timeout_s=600)
    part.ui.batchWorkersSpinBox.value = 1
    part.ui.batchStartButton.click()

    def counts():
        return part.parts.runs.seen.counts if part.parts.runs.seen is not None else None

    halves = []
    harness.wait_until(lambda: counts() is not None and counts().done >= 4 and counts().working, timeout_s=1800)
    part.parts.runs.table.choose(1)
    halves.append(half(harness, widget.ui.batchCollapsibleButton, folder))
    harness.wait_until(lambda: "Finished" in part.ui.batchStateLabel.text, timeout_s=3600)
    if widget.panel.errors.shown:
        print(widget.ui.errorDetailsText.plainText)
        return 1
    part.parts.runs.table.choose(FAILING)
    part.ui.batchNewCollapsibleButton.collapsed = True
    halves.append(half(harness, widget.ui.batchCollapsibleButton, folder))
    side_by_side(halves, folder / "batch.png", MOST_BYTES // 2)
    harness.reset()
    return 0


def slabs(folder: Path, count: int = 8, thickness: int = 6) -> None:
    """Cut the bundled head into slabs; one is no CT, one has no segmentation."""
    import SimpleITK as sitk

    sample = REPOSITORY / "Resources" / "SampleData"
    ct, labels = (sitk.ReadImage(sample / name) for name in ("head_ct.nii.gz", "head_seg.nii.gz"))
    for number in range(1, count + 1):
        first = 20 + thickness * (number - 1)
        place = folder / f"head-{number}"
        place.mkdir(parents=True)
        image = ct[:, :, first : first + thickness]
        sitk.WriteImage(sitk.Abs(image) if number == FAILING else image, place / "ct.nii.gz")
        if number != FAILING + 1:
            sitk.WriteImage(labels[:, :, first : first + thickness], place / "seg.nii.gz")


def half(harness, widget, folder: Path):
    """A picture of a widget that has come to rest."""
    from PIL import Image

    settle(harness)
    harness.screenshot(widget, folder / "half.png")
    picture = Image.open(folder / "half.png").convert("RGB")
    (folder / "half.png").unlink()
    return picture


def side_by_side(halves, path: Path, most: int = MOST_BYTES) -> None:
    """Write two pictures as one."""
    from PIL import Image

    whole = Image.new("RGB", (sum(half.width for half in halves) + 12, max(half.height for half in halves)), "white")
    whole.paste(halves[0], (0, 0))
    whole.paste(halves[1], (halves[0].width + 12, 0))
    shrink(whole, path, most)


def show_middle(slicer) -> None:
    """Move all views to the middle of the head."""
    ct = slicer.util.getNode("Head CT")
    bounds = [0.0] * 6
    ct.GetRASBounds(bounds)
    middle = [(bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3)]
    for name in slicer.app.layoutManager().sliceViewNames():
        node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
        node.JumpSliceByCentering(*middle)


def settle(harness) -> None:
    """Let scrolling and layouts come to rest."""
    import qt

    done = []
    qt.QTimer.singleShot(300, lambda: done.append(True))
    harness.wait_until(lambda: done, timeout_s=10)


def take(harness, path: Path) -> None:
    """Take a picture of the whole window."""
    from PIL import Image

    settle(harness)
    harness.screenshot(None, path)
    shrink(Image.open(path).convert("RGB"), path)


def shrink(whole, path: Path, most: int = MOST_BYTES) -> None:
    """Write a picture in as many colours as fit into the largest size."""
    from PIL import Image

    whole.save(path, optimize=True)
    colors = 256
    while path.stat().st_size > most and colors >= 32:
        whole.quantize(colors, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
        colors //= 2
    print(path, path.stat().st_size)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    kinds = {"--training": training, "--batch": batch}
    take_part = kinds.get(arguments[0]) if arguments else None
    of = Path(arguments[1]) if take_part is not None else None
    arguments = arguments[2:] if take_part is not None else arguments
    target = Path(arguments[0]) if arguments else REPOSITORY / "Resources" / "Screenshots"
    target.mkdir(parents=True, exist_ok=True)
    sys.exit(main(target) if take_part is None else take_part(target, of))
