"""How long Slicer's window waits for the part "Batch" while it looks at a running batch once a second.

    OMP_NUM_THREADS=1 .venv/bin/python Testing/Benchmarks/batch_window.py

Opens the real panel on the stand-in for Slicer's window, with a manifest of 300 and of 1000 cases. Processor time of
the window's own thread, events included.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path[:0] = [str(TESTING / "Harness"), str(TESTING / "Python"), str(TESTING.parent)]
LOOKS = 40


def milliseconds(work: Callable[[], object], before: Callable[[int], object] = lambda number: None) -> str:
    """Median and worst of many looks; what is done before each does not count."""
    times = []
    for number in range(LOOKS):
        before(number)
        began = time.thread_time()
        work()
        times.append(1000 * (time.thread_time() - began))
    times.sort()
    return f"median {times[LOOKS // 2]:.1f} ms, worst {times[-1]:.1f} ms"


def measure(harness, folder: Path, cases: int) -> None:  # type: ignore[no-untyped-def]
    """Print the rows for a batch of so many cases."""
    from batch_doubles import make_batch, set_state
    from window_doubles import FakeLogic, open_panel

    done = cases // 3
    manifest = make_batch(folder, ["done"] * done + ["computing", "reading"] + ["waiting"] * (cases - done - 2))
    logic = FakeLogic()
    logic.store.add(folder, "night", kind="batch", eta_s=9000.0, stage="synthesizing")
    window = open_panel(harness.slicer, logic)
    window.widget.resize(450, 1600)
    window.widget.show()
    began = time.thread_time()
    window.ui.batchCollapsibleButton.collapsed = False
    opened = time.thread_time() - began
    runs = window.panel.batch.parts.runs
    table = window.panel.batch.ui.batchCasesTable
    harness.wait_until(lambda: table.item(cases - 1, 0) is not None, timeout_s=60)
    runs._timer.stop()

    def look() -> None:
        runs.look()
        harness.process_events()

    def one_more_is_done(number: int) -> None:
        set_state(manifest, done + 3 + number, "done")

    print(f"{cases} cases: first opening {1000 * opened:.0f} ms")
    print(f"{cases} cases, two at work: {milliseconds(look)}")
    print(f"{cases} cases, and one more is done: {milliseconds(look, one_more_is_done)}")
    window.panel.close()
    window.widget.hide()


def main() -> None:
    import slicer_harness

    harness = slicer_harness.start()
    with tempfile.TemporaryDirectory() as folder:
        for cases in (300, 1000):
            harness.slicer.app.userSettings().clear()
            measure(harness, Path(folder) / str(cases), cases)
    harness.reset()


if __name__ == "__main__":
    main()
