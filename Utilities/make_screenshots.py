#!/usr/bin/env python3
"""Pictures of the module for the README and the extension's page: the bundled head from opening to review.

    .venv/bin/python Utilities/make_screenshots.py [folder]

Runs the real module with the real synthesis in the stand-in for Slicer's window (Testing/Harness), so it needs no
Slicer; some minutes on two processors. Look at the pictures afterwards.
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
    """Take a picture of the whole window, in as many colours as fit into the largest size."""
    from PIL import Image

    settle(harness)
    harness.screenshot(None, path)
    whole = Image.open(path).convert("RGB")
    colors = 256
    while path.stat().st_size > MOST_BYTES and colors >= 32:
        whole.quantize(colors, dither=Image.Dither.NONE).save(path, optimize=True)
        colors //= 2
    print(path, path.stat().st_size)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "Resources" / "Screenshots"
    target.mkdir(parents=True, exist_ok=True)
    sys.exit(main(target))
