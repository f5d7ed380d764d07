"""The body of the test that runs inside Slicer, run here on the scene of slicer-core, and in Slicer's stand-in."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def case(mrml_scene: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A test case as MedUSIS.py makes it."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "MedUSIS"))
    from MedUSISGui.self_test import SelfTest

    return type("MedUSISTest", (SelfTest, unittest.TestCase), {})


@pytest.mark.long
def test_without_packages_the_rest_is_run_and_the_left_out_is_named(
    case: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from MedUSISLib.mrml import installation_status

    status = installation_status.dependency_status([])
    assert not status.complete
    monkeypatch.setattr(installation_status, "dependency_status", lambda *_: status)
    monkeypatch.setitem(sys.modules, "MedUSISLib.mrml.synthesis_logic", None)  # a run would fail
    case("runTest").runTest()
    said = capsys.readouterr().out
    left_out = "is_no_ct", "cancelling", "engine_stays", "saved_scene"
    for name in (*left_out, "panel_opens", "panel_of_fine_tuning", "panel_of_batches"):
        assert name in said
    assert "sample_data" not in said


def test_slicers_test_runner_finds_every_part(case: Any) -> None:
    names = unittest.TestLoader().getTestCaseNames(case)
    assert len(names) == 8


def test_a_volume_that_is_no_ct_is_refused(case: Any) -> None:
    _must_pass(case, "test_a_volume_that_is_no_ct_is_refused")


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "test_cancelling_ends_the_run_and_leaves_nothing",
        "test_engine_stays_ready_for_the_next_run",
        "test_sample_case_from_loading_to_a_saved_scene",
    ],
)
def test_the_long_parts_pass(case: Any, name: str) -> None:
    _must_pass(case, name)


def _must_pass(case: Any, name: str) -> None:
    result = unittest.TestResult()
    case(name).run(result)
    assert result.testsRun == 1 and not result.skipped
    assert result.wasSuccessful(), result.failures + result.errors


def test_the_module_offers_it_and_the_parts_of_the_window_pass(slicer_window: Any) -> None:
    slicer_window.load_module(REPOSITORY / "MedUSIS" / "MedUSIS.py")
    module = sys.modules["MedUSIS"]
    names = unittest.TestLoader().getTestCaseNames(module.MedUSISTest)
    assert len([name for name in names if name.startswith("test_")]) == 8
    for name in ("test_sample_data_loads", "test_panel_opens_without_a_ct", "test_panel_of_fine_tuning_opens"):
        result = unittest.TestResult()
        module.MedUSISTest(name).run(result)
        assert result.wasSuccessful() and not result.skipped, result.failures + result.errors
