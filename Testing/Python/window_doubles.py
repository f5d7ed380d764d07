"""Stand-ins for what the module's panel talks to, and small inputs, for tests of the window."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from fine_tune_doubles import FakeRunStore

from MedUSISLib.mrml.installation_status import DependencyStatus
from MedUSISLib.mrml.kept_engine import KeptEngine
from MedUSISLib.signal import Signal

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_FILE = REPOSITORY / "MedUSIS" / "MedUSIS.py"
PANEL_FILE = REPOSITORY / "MedUSIS" / "Resources" / "UI" / "MedUSIS.ui"
if str(MODULE_FILE.parent) not in sys.path:  # as Slicer does for the folder of a module
    sys.path.insert(0, str(MODULE_FILE.parent))
COMPLETE = DependencyStatus((), "present", "", True, 0, "Everything that MedUSIS needs is installed.")
INCOMPLETE = DependencyStatus(
    ("pydantic>=2",), "absent", "", False, 205, "MedUSIS needs PyTorch and one Python package (about 205 MB)."
)


class FakeInstallation:
    """Packages that are there or not; ``install`` makes them complete, or raises ``problem``."""

    def __init__(self, status: DependencyStatus = COMPLETE, problem: Exception | None = None) -> None:
        self.current = status
        self.problem = problem
        self.asked: list[Path | None] = []

    def status(self) -> DependencyStatus:
        return self.current

    def install(self, wheels: Path | None = None) -> DependencyStatus:
        self.asked.append(wheels)
        if self.problem is not None:
            raise self.problem
        self.current = COMPLETE
        return self.current


class FakeJob:
    """A logic that runs nothing: tests say what it tells."""

    def __init__(self) -> None:
        self.stage, self.progressed, self.advanced = Signal(), Signal(), Signal()
        self.previewed, self.warned, self.logged = Signal(), Signal(), Signal()
        self.finished, self.failed, self.cancelled = Signal(), Signal(), Signal()
        self.running = False
        self.started: list[tuple[Any, ...]] = []
        self.cancels = 0
        self.closed = False
        self.refusal: Exception | None = None

    def start(self, *arguments: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.started.append(arguments)
        self.running = True

    def cancel(self) -> None:
        self.cancels += 1

    def close(self) -> None:
        self.closed = True
        self.running = False

    def log_text(self) -> str:
        return "what the run said"

    def end(self, signal: Signal, *values: Any) -> None:
        """The run ends with this signal."""
        self.running = False
        signal(*values)


class FakeBackground:
    """Devices and installations of generators, answered by the test."""

    def __init__(self, devices: list[dict[str, Any]] | None = None) -> None:
        self.devices = devices or [
            {"id": "cpu", "title": "CPU (2 cores)", "free_bytes": 6_100_000_000, "total_bytes": 8_000_000_000}
        ]
        self.searches = 0
        self.sources: list[tuple[str, str | None]] = []
        self.replaced: list[bool] = []
        self.accepted: list[str | None] = []
        self.forgotten: list[str] = []
        self.terms: dict[str, Any] | None = {
            "terms": "Head (head-t1w 1.0.0)\nLicence: CC-BY-4.0",
            "licence_text": "You may ...",
            "sha256": "5" * 64,
        }
        self.scans: list[tuple[Any, ...]] = []
        self.looks: list[tuple[Any, ...]] = []
        self.exports: list[tuple[Any, Callable, Callable]] = []
        self.estimates: list[tuple[Any, Callable, Callable]] = []
        self.cancelled: list[str] = []
        self.answer: Callable[[Callable, Callable], None] = lambda done, error: done({"id": "head-t1w"})
        self.closed = False

    def find_devices(self, on_done: Callable, on_error: Callable) -> None:
        self.searches += 1
        on_done({"devices": self.devices, "torch": "2.13.0"})

    def install_generator(
        self,
        source: str,
        on_done: Callable,
        on_error: Callable,
        sha256: str | None = None,
        replace: bool = False,
        accept: str | None = None,
    ) -> None:
        if accept is None and self.terms is not None:
            on_done(self.terms)
            return
        self.accepted.append(accept)
        self.sources.append((source, sha256))
        self.replaced.append(replace)
        self.answer(on_done, on_error)

    def forget_download(self, source: str) -> None:
        self.forgotten.append(source)

    def scan_dataset(self, parameters: Any, *heard: Callable) -> Callable[[], None]:
        self.scans.append((parameters, *heard))
        return lambda: self.cancelled.append("scan")

    def estimate_training(self, parameters: Any, on_done: Callable, on_error: Callable) -> Callable[[], None]:
        self.estimates.append((parameters, on_done, on_error))
        return lambda: self.cancelled.append("estimate")

    def look_for_cases(self, parameters: Any, *heard: Callable) -> Callable[[], None]:
        self.looks.append((parameters, *heard))
        return lambda: self.cancelled.append("look")

    def export_dicom(self, parameters: Any, on_done: Callable, on_error: Callable) -> Callable[[], None]:
        self.exports.append((parameters, on_done, on_error))
        return lambda: self.cancelled.append("dicom")

    def close(self) -> None:
        self.closed = True


class FakeLogic:
    """The module's logic with the parts above; the parameter node is a real one."""

    def __init__(self, installation: FakeInstallation | None = None, background: FakeBackground | None = None) -> None:
        self.synthesis = FakeJob()
        self.segmentation = FakeJob()
        self.installation = installation or FakeInstallation()
        self.training_installation = FakeInstallation()
        self.engine = KeptEngine()
        self.store = FakeRunStore()
        self.open_runs = lambda: self.store
        self.background = background or FakeBackground()

    def getParameterNode(self) -> Any:
        import slicer
        from MedUSISGui.parameters import Parameters

        scene = slicer.mrmlScene
        node = scene.GetSingletonNode("MedUSIS", "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag("MedUSIS")
            node.SetAttribute("ModuleName", "MedUSIS")
            node.SetName("MedUSIS")
            node = scene.AddNode(node)
        return Parameters(node)

    def close(self) -> None:
        for part in (self.synthesis, self.segmentation, self.background):
            part.close()


class FakeDialogs:
    """Answers at once."""

    def __init__(self) -> None:
        files = {"folder": None, "open_file": None, "save_file": None}
        self.answers: dict[str, Any] = {"accept_licence": True, "confirm": True, **files}
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(*arguments: Any) -> Any:
            self.asked.append(name)
            return self.answers.get(name)

        return answer


def open_panel(slicer: Any, logic: Any = None, dialogs: Any = None, shelf: Any = None) -> types.SimpleNamespace:
    """The real panel file with the real parts on it, and doubles for what they talk to."""
    from MedUSISGui.panel import Panel

    widget = slicer.util.loadUI(str(PANEL_FILE))
    widget.setMRMLScene(slicer.mrmlScene)
    ui = slicer.util.childWidgetVariables(widget)
    logic = logic or FakeLogic()
    dialogs = dialogs or FakeDialogs()
    panel = Panel(ui, logic, dialogs, shelf)
    panel.enter()
    _OPENED.append(widget)
    return types.SimpleNamespace(panel=panel, ui=ui, widget=widget, logic=logic, dialogs=dialogs)


@contextmanager
def new_user(slicer_window: Any) -> Iterator[Any]:
    """Slicer, for somebody who has chosen nothing yet."""
    slicer_window.slicer.app.userSettings().clear()
    yield slicer_window.slicer
    slicer_window.slicer.app.userSettings().clear()


@contextmanager
def panel_with_inputs(slicer: Any) -> Iterator[types.SimpleNamespace]:
    """An open panel with a CT and a segmentation whose segments all have a class."""
    ct = add_ct(slicer)
    segmentation = add_segmentation(slicer, ct)
    window = open_panel(slicer)
    window.ct, window.segmentation = ct, segmentation
    yield window
    window.panel.close()


_OPENED: list[Any] = []


def forget_panels() -> None:
    """Let go of the scene: panels of tests that are over would answer to every node of those that follow."""
    while _OPENED:
        _OPENED.pop().setMRMLScene(None)


def add_ct(slicer: Any, name: str = "Some CT") -> Any:
    """A small CT: a ball of tissue with a shell of bone in air."""
    k, j, i = np.indices((24, 32, 32))
    radius = np.sqrt(((k - 12) / 10.0) ** 2 + ((j - 16) / 13.0) ** 2 + ((i - 16) / 13.0) ** 2)
    hu = np.where(radius < 0.8, 40, np.where(radius < 1.0, 900, -1000)).astype(np.int16)
    node = slicer.util.addVolumeFromArray(hu, name=name)
    node.SetSpacing(5.0, 5.0, 5.0)
    return node


def add_segmentation(slicer: Any, ct: Any, names: tuple[str, str] = ("White matter", "Skull")) -> Any:
    """Two segments on the grid of ``add_ct``: what is inside, and the shell."""
    hu = slicer.util.arrayFromVolume(ct)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Some segmentation")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    for name, mask in zip(names, (hu == 40, hu == 900), strict=True):
        key = node.GetSegmentation().AddEmptySegment("", name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, key, ct)
    return node


def our_modules() -> dict[str, Any]:
    """The modules that "Reload" forgets; putting them back makes later tests meet the classes that they imported."""
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("MedUSISLib", "MedUSISGui")}
