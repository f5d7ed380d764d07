"""Fixtures for tests that need Slicer's windows: `slicer_window` is a running stand-in (Testing/Harness).

    def test_button(slicer_window):
        module = slicer_window.load_module("MedUSIS/MedUSIS.py")

Every test starts with an empty scene, no scripted module loaded and nothing recorded, and fails if an exception was
raised in a Qt slot or a VTK observer, which Slicer would only print.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from window_doubles import forget_panels

HARNESS = Path(__file__).resolve().parents[1] / "Harness"
if str(HARNESS) not in sys.path:
    sys.path.insert(0, str(HARNESS))

import slicer_harness  # noqa: E402

if TYPE_CHECKING:
    from slicer_harness.harness import Harness


@pytest.fixture(scope="session")
def slicer_window_session() -> Harness:
    """The harness, started once. Skips where Qt or OpenGL is absent; MEDUSIS_REQUIRE_WINDOW=1 makes that a failure."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    reason = slicer_harness.missing()
    if reason is not None:
        if os.environ.get("MEDUSIS_REQUIRE_WINDOW") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return slicer_harness.start()


@pytest.fixture
def slicer_window(slicer_window_session: Harness) -> Iterator[Harness]:
    """A clean application layer for one test."""
    harness = slicer_window_session
    harness.reset()
    yield harness
    harness.process_events()
    uncaught = list(harness.uncaught)
    forget_panels()
    harness.reset()
    if uncaught:
        message = f"{len(uncaught)} exceptions in slots or observers, the first: {uncaught[0]!r}"
        raise AssertionError(message) from uncaught[0]
