"""The module's test inside Slicer: the bundled head from loading to a saved scene, and the ways a run can end badly.

Runs with and without a main window (``ctest``, or "Reload and Test"). It never installs anything: without the packages
the parts that need none are run, and those that were left out are named.
"""

from __future__ import annotations

import tempfile
import time
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from MedUSISGui.self_test_case import SelfTestCase

PASSES = 2
SYNTHESIS_S = 1800.0  # minutes on an old computer without an accelerator
START_S = 300.0
CANCEL_S = 5.0  # 2 s are promised; a test machine may be busy


class SelfTest(SelfTestCase):
    """From the sample to a saved scene, and the ways a run can end badly."""

    def test_sample_data_loads(self) -> None:
        ct, segmentation = _sample()
        assert ct.GetImageData().GetDimensions() == (190, 240, 95)
        segments = segmentation.GetSegmentation()
        names = {segments.GetNthSegment(index).GetName() for index in range(segments.GetNumberOfSegments())}
        assert "Cerebral white matter" in names and len(names) == 14

    def test_panel_opens_without_a_ct(self) -> None:
        panel = _panel()
        assert panel is not None
        assert not _button(panel, "synthesizeButton").enabled

    def test_panel_of_fine_tuning_opens(self) -> None:
        with _opened("fineTuneCollapsibleButton") as part:
            start = _button(part, "startTrainingButton")
            assert not start.enabled  # nothing was scanned, or no package is there
            assert _button(part, "runsTable").columnCount == 4 and _button(part, "casesTable").columnCount == 5

    def test_panel_of_batches_opens(self) -> None:
        from MedUSISLib.mrml.installation_status import dependency_status

        with _opened("batchCollapsibleButton") as part:
            assert _button(part, "batchCasesTable").columnCount == 5
            assert _button(part, "batchContent").isHidden() != dependency_status().complete

    def test_a_volume_that_is_no_ct_is_refused(self) -> None:
        _require_packages()
        ct, segmentation = _sample()
        _make_it_look_like_mr(ct)
        run = _Run(ct, segmentation)
        run.wait(START_S)
        assert run.failure is not None and run.failure.code == "NOT_A_CT", run.story()
        assert run.nodes is None

    def test_cancelling_ends_the_run_and_leaves_nothing(self) -> None:
        import slicer

        _require_packages()
        ct, segmentation = _sample()
        before = slicer.mrmlScene.GetNumberOfNodes()
        run = _Run(ct, segmentation, passes=50)
        run.wait(START_S, until=lambda: run.steps > 0)
        assert run.steps > 0, run.story()
        asked = time.monotonic()
        run.logic.cancel()
        run.wait(CANCEL_S)
        assert run.was_cancelled, run.story()
        assert time.monotonic() - asked < CANCEL_S
        assert slicer.mrmlScene.GetNumberOfNodes() == before

    def test_engine_stays_ready_for_the_next_run(self) -> None:
        from MedUSISLib.mrml.kept_engine import KeptEngine
        from MedUSISLib.mrml.worker import serve_command

        _require_packages()
        engine = KeptEngine(replace(_worker(), serve_command=serve_command))
        engine.minutes = 1
        try:
            kept = None
            for _ in range(2):
                run = _Run(*_sample(), passes=50, worker=engine.worker)
                run.wait(START_S, until=lambda run=run: run.steps > 0)
                assert run.steps > 0 and engine.busy, run.story()
                assert kept in (None, engine.pid)
                run.logic.cancel()
                run.wait(CANCEL_S)
                assert run.was_cancelled, run.story()
                kept = engine.pid  # None: the run did not end in time, and was ended together with its engine
        finally:
            engine.close()
        assert not engine.running

    def test_sample_case_from_loading_to_a_saved_scene(self) -> None:
        _require_packages()
        ct, segmentation = _sample()
        _move(ct, segmentation)
        run = _Run(ct, segmentation)
        run.wait(SYNTHESIS_S)
        assert run.nodes is not None, run.story()
        _check_result(run.nodes, ct)
        with tempfile.TemporaryDirectory() as folder:
            _check_saved_scene(Path(folder) / "scene.mrb")


class _Run:
    """One synthesis, and everything that it said."""

    def __init__(self, ct: Any, segmentation: Any, passes: int = PASSES, worker: Any = None) -> None:
        from MedUSISLib.mrml.segment_classes import segment_rows
        from MedUSISLib.mrml.settings import OutputChoice, SynthesisInputs, SynthesisSettings
        from MedUSISLib.mrml.synthesis_logic import SynthesisLogic, schema_of

        settings = SynthesisSettings(passes=passes)
        rows = segment_rows(segmentation, schema_of(settings.generator))
        classes = {row.key: row.class_name for row in rows if row.class_name}
        assert len(classes) == len(rows), [row.name for row in rows if not row.class_name]
        self.nodes: Any = None
        self.failure: Any = None
        self.was_cancelled = False
        self.steps = 0
        self.logic = SynthesisLogic(worker or _worker())
        self.logic.finished.connect(self._finished)
        self.logic.failed.connect(self._failed)
        self.logic.cancelled.connect(self._cancelled)
        self.logic.progressed.connect(self._progressed)
        self.logic.start(SynthesisInputs(ct, segmentation, classes), settings, OutputChoice())

    def wait(self, timeout_s: float, until: Any = None) -> None:
        """Until the run has ended, ``until`` is true, or the time is over."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and not (until is not None and until()):
            if self.logic.wait(timeout_s=0.2, idle=_process_events):
                return

    def story(self) -> str:
        """For the message of a test that failed."""
        return f"{self.failure}\n{self.logic.log_text()}"

    def _finished(self, nodes: Any) -> None:
        self.nodes = nodes

    def _failed(self, failure: Any) -> None:
        self.failure = failure

    def _cancelled(self) -> None:
        self.was_cancelled = True

    def _progressed(self, *_step: Any) -> None:
        self.steps += 1


def _sample() -> tuple[Any, Any]:
    from MedUSISGui.sample_data import load_sample_data

    return load_sample_data()


def _require_packages() -> None:
    """Leave the test out where a job could not run; nothing is installed."""
    from MedUSISLib.mrml.installation_status import dependency_status

    status = dependency_status()
    if not status.complete:
        raise unittest.SkipTest(status.sentence)


def _worker() -> Any:
    """As the module does it: a QProcess in the application, a process of the standard library without."""
    import slicer

    from MedUSISLib.mrml.worker import Worker

    if not hasattr(slicer, "app"):
        return Worker()
    from MedUSISGui.qprocess import qt_worker

    return qt_worker()


def _process_events() -> None:
    import slicer

    if hasattr(slicer, "app"):
        slicer.app.processEvents()


def _panel() -> Any:
    """The module's panel; leaves the test out where there is no application."""
    import slicer

    module = getattr(getattr(slicer, "modules", None), "medusis", None)
    if module is None or not hasattr(module, "widgetRepresentation"):
        raise unittest.SkipTest("there is no application")
    return module.widgetRepresentation()


@contextmanager
def _opened(name: str) -> Iterator[Any]:
    """A part of the panel, unfolded for a block."""
    part = _button(_panel(), name)
    part.collapsed = False
    try:
        _process_events()
        yield part
    finally:
        part.collapsed = True


def _button(panel: Any, name: str) -> Any:
    import slicer

    return slicer.util.findChild(panel, name)


def _make_it_look_like_mr(ct: Any) -> None:
    import slicer

    array = slicer.util.arrayFromVolume(ct)
    array[:] = abs(array) % 500
    slicer.util.arrayFromVolumeModified(ct)


def _move(*nodes: Any) -> None:
    """Put the nodes under a turn and a shift, as after a registration."""
    import slicer
    import vtk

    turn = vtk.vtkTransform()
    turn.Translate(12.0, -7.0, 30.0)
    turn.RotateZ(20.0)
    turn.RotateX(-10.0)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    node.SetMatrixTransformToParent(turn.GetMatrix())
    for child in nodes:
        child.SetAndObserveTransformNodeID(node.GetID())


def _check_result(nodes: Any, ct: Any) -> None:
    import numpy as np
    import slicer

    from MedUSISLib.mrml.quality_nodes import quality_sentences
    from MedUSISLib.mrml.result_nodes import ct_of

    mr = slicer.util.arrayFromVolume(nodes.mr)
    assert np.isfinite(mr).all() and mr.std() > 0.05
    assert "SYNTHETIC" in nodes.mr.GetName()
    assert nodes.mr.GetAttribute("MedUSIS.Synthetic") == "1"
    assert nodes.mr.GetAttribute("MedUSIS.Generator") == "head-t1w"
    assert ct_of(nodes) is ct
    for volume in (nodes.mr, nodes.uncertainty):
        assert volume.GetImageData().GetDimensions() == ct.GetImageData().GetDimensions()
        assert np.allclose(_ijk_to_ras(volume), _ijk_to_ras(ct), atol=1e-6)
        assert volume.GetTransformNodeID() == ct.GetTransformNodeID()
    assert slicer.util.arrayFromVolume(nodes.uncertainty).max() > 0
    assert nodes.mask_consistency.GetSegmentation().GetNumberOfSegments() == 3
    assert nodes.mask_consistency.GetTransformNodeID() == ct.GetTransformNodeID()
    assert nodes.quality.GetNumberOfRows() > 0
    assert quality_sentences(nodes)
    assert "SYNTHETIC" in nodes.report.GetText()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(ct))
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.mr)) == study


def _check_saved_scene(path: Path) -> None:
    import slicer

    from MedUSISLib.mrml.file_export import save_scene
    from MedUSISLib.mrml.loading import load_scene
    from MedUSISLib.mrml.result_nodes import ct_of, nodes_of, synthetic_volumes

    save_scene(path)
    slicer.mrmlScene.Clear(0)
    load_scene(path)
    (mr,) = synthetic_volumes(slicer.mrmlScene)
    nodes = nodes_of(mr)
    assert nodes is not None and ct_of(nodes) is not None
    for name in ("uncertainty", "mask_consistency", "quality", "provenance", "report"):
        assert getattr(nodes, name) is not None, name
    assert mr.GetParentTransformNode() is not None


def _ijk_to_ras(volume: Any) -> Any:
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
