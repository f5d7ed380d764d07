#!/usr/bin/env python3
"""Pictures of the module for the README and the extension's page: the bundled head from opening to review.

    .venv/bin/python Utilities/make_screenshots.py [folder]
    .venv/bin/python Utilities/make_screenshots.py --training WORKING_FOLDER [folder]

Runs the real module with the real synthesis in the stand-in for Slicer's window (Testing/Harness), so it needs no
Slicer; some minutes on two processors. Look at the pictures afterwards.

With ``--training``, fine-tune.png only: the part "Fine-tune a generator" with the scan in that working folder and the
newest background run of this user (``MEDUSIS_RUNS``), as they are. Take public data: the picture shows them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MOST_BYTES = 300_000
SIZE = (1280, 900)

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
    from PIL import Image

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
    for name, others in (
        ("left", ("runsCollapsibleButton",)),
        ("right", ("trainingDataCollapsibleButton", "trainingSettingsCollapsibleButton")),
    ):
        for button in ("runsCollapsibleButton", "trainingDataCollapsibleButton", "trainingSettingsCollapsibleButton"):
            getattr(part.ui, button).collapsed = button in others
        settle(harness)
        part.parts.runs.look()
        settle(harness)
        harness.screenshot(widget.ui.fineTuneCollapsibleButton, folder / f"{name}.png")
        halves.append(Image.open(folder / f"{name}.png").convert("RGB"))
        (folder / f"{name}.png").unlink()
    whole = Image.new("RGB", (sum(half.width for half in halves) + 12, max(half.height for half in halves)), "white")
    whole.paste(halves[0], (0, 0))
    whole.paste(halves[1], (halves[0].width + 12, 0))
    shrink(whole, folder / "fine-tune.png")
    harness.reset()
    return 0


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


def shrink(whole, path: Path) -> None:
    """Write a picture in as many colours as fit into the largest size."""
    from PIL import Image

    whole.save(path, optimize=True)
    colors = 256
    while path.stat().st_size > MOST_BYTES and colors >= 32:
        whole.quantize(colors, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
        colors //= 2
    print(path, path.stat().st_size)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    of_training = Path(arguments.pop(1)) if arguments[:1] == ["--training"] else None
    if of_training is not None:
        arguments.pop(0)
    target = Path(arguments[0]) if arguments else REPOSITORY / "Resources" / "Screenshots"
    target.mkdir(parents=True, exist_ok=True)
    sys.exit(main(target) if of_training is None else training(target, of_training))
