"""Fixtures that several test files share."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from mrml_scene import mrml_scene  # noqa: F401  (a fixture)
from slicer_window import slicer_window, slicer_window_session  # noqa: F401  (fixtures)

# A busy machine is no reason to fail: hypothesis measures each example by the clock, and how long it takes to make
# them. Nor is chance: each run has the same examples. To look for others:
# pytest --hypothesis-profile=explore
settings.register_profile("medusis", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("medusis"), derandomize=False)
settings.load_profile("medusis")

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Random numbers that a test does not seed are the same in every run, whatever ran before it in this process."""
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")  # who has not imported it draws none
    if torch is not None:
        torch.manual_seed(0)


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
