"""The whole room in a process that is killed: reads a package and says which answers the screen showed as confirmed.

python reading_window_child.py PACKAGE
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Harness"), str(HERE.parents[1])]


def main(package: str) -> None:
    """Read on to the end; a line for the opening and for each stage that was confirmed."""
    import slicer_harness

    window = slicer_harness.start()
    from reading_studies import MODULE_FILE, Reader

    window.load_module(MODULE_FILE)
    window.slicer.util.mainWindow().show()
    window.slicer.util.selectModule("MedUSISReader")
    widget = window.slicer.modules.MedUSISReaderWidget
    assert widget.read(package, "R1"), widget.ui.errorTextLabel.text
    told = widget.panel.room.ui.messageTextLabel.text
    print("open interrupted" if "ended without being left" in told else "open", flush=True)
    reader = Reader(window, widget.panel.room, mouse=True)
    said = 0
    while reader.room.is_open:
        reader.read(trials=1)
        for trial, stage in list(reader.said)[said:]:
            print(trial, stage, flush=True)
        said = len(reader.said)


if __name__ == "__main__":
    main(sys.argv[1])
