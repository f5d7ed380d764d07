"""The panel with its part "Batch" opened, for tests of the window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from window_doubles import open_panel


def unfold(slicer: Any, logic: Any = None) -> SimpleNamespace:
    """The panel with the part opened; ``batch`` are its widgets."""
    window = open_panel(slicer, logic)
    window.ui.batchCollapsibleButton.collapsed = False
    window.batch = window.panel.batch.ui
    window.parts = window.panel.batch.parts
    return window


@contextmanager
def planned_batch(slicer: Any, source: Path) -> Iterator[SimpleNamespace]:
    """A folder of CTs is chosen."""
    window = unfold(slicer)
    source.mkdir(exist_ok=True)
    window.source = source
    window.dialogs.answers["folder"] = source
    window.batch.batchFolderButton.click()
    yield window
    window.panel.close()
