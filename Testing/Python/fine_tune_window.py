"""The panel with its part "Fine-tune a generator" opened, for tests of the window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fine_tune_doubles import hospital, scanned
from window_doubles import open_panel

NEEDS = {"memory_bytes": 1_300_000_000, "free_bytes": 6_000_000_000, "seconds": 5400.0, "device": "cpu"}


def scan_of_a_hospital(root: Path) -> SimpleNamespace:
    """Data and the working folder with their scan."""
    data = hospital(root / "data")
    scanned(data, root / "work" / "scan")
    return SimpleNamespace(data=data, working=root / "work")


def be_impatient(monkeypatch: Any) -> None:
    """The estimate begins soon after a change."""
    from MedUSISGui import fine_tune_start

    monkeypatch.setattr(fine_tune_start, "_REST_MS", 50)


def remember(slicer: Any, folders: list[Path], working: Path) -> None:
    settings = slicer.app.userSettings()
    settings.setValue("MedUSIS/Training/Folders", "\n".join(map(str, folders)))
    settings.setValue("MedUSIS/Training/WorkingFolder", str(working))


def unfold(slicer: Any, logic: Any = None) -> SimpleNamespace:
    """The panel with the part opened; ``tune`` are its widgets."""
    window = open_panel(slicer, logic)
    window.ui.fineTuneCollapsibleButton.collapsed = False
    window.tune = window.panel.fine_tune.ui
    window.parts = window.panel.fine_tune.parts
    return window


@contextmanager
def opened_for_the_first_time(slicer: Any, working: Path) -> Iterator[SimpleNamespace]:
    """With a working folder of its own."""
    remember(slicer, [], working)
    window = unfold(slicer)
    yield window
    window.panel.close()


@contextmanager
def opened_with(slicer: Any, scan: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """With a dataset that was scanned before; what a test changes in it is put back."""
    file = scan.working / "scan" / "dataset.json"
    text = file.read_text()
    remember(slicer, [scan.data], scan.working)
    window = unfold(slicer)
    window.dataset = file
    yield window
    window.panel.close()
    file.write_text(text)


def ready(window: SimpleNamespace, wait: Any) -> None:
    """Answer the estimate."""
    wait(lambda: window.logic.background.estimates)
    window.logic.background.estimates[-1][1](NEEDS)
    assert window.tune.startTrainingButton.enabled, window.tune.trainingReadinessLabel.text


def text_of(table: Any, row: int) -> list[str]:
    return [table.item(row, column).text() for column in range(1, table.columnCount)]
