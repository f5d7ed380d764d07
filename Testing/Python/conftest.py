"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from mrml_scene import mrml_scene  # noqa: F401  (a fixture)
from slicer_window import slicer_window, slicer_window_session  # noqa: F401  (fixtures)

# A busy machine is no reason to fail: hypothesis measures each example by the clock, 200 ms by default.
settings.register_profile("medusis", deadline=None)
settings.load_profile("medusis")

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def same_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies of a test have the same secrets in every run."""
    from study_example import draw_the_same_secrets

    draw_the_same_secrets(monkeypatch)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The larger collection of real scans beside the repository; tests that need it skip where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data folder is not beside this repository")
    return folder
