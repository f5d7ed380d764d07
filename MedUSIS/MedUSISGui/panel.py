"""The module panel as a whole: makes its parts and connects them."""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.review_layout import register_layouts

from . import readiness_check
from .batch_section import BatchSection
from .default_nodes import select_default_nodes
from .dependency_banner import DependencyBanner
from .dialogs import Dialogs
from .dicom_export import DicomExportButton
from .engine_section import EngineSection
from .error_panel import ErrorPanel
from .fine_tune_section import FineTuneSection
from .generator_section import GeneratorSection
from .generator_shelf import GeneratorShelf
from .inputs_section import InputsSection
from .node_watch import NodeWatch
from .results_section import ResultsSection
from .review_section import ReviewSection
from .run_controller import RunController
from .run_section import RunSection
from .scrolling import scroll_to
from .settings_section import SettingsSection


class Panel:
    """Life: made once by ``setup`` -> ``enter`` and ``exit`` as the user comes and goes -> ``close`` at the end.

    ``scene_closing`` and ``scene_changed`` tell it about the scene. Whatever changes (a node, a choice, the packages)
    leads to ``refresh``, which shows the state anew: the parts keep no state of their own that could differ from the
    parameter node.

    Parameters
    ----------
    ui : widgets of Resources/UI/MedUSIS.ui
    logic : MedUSISLogic
        Or an object with the same attributes: ``synthesis``, ``segmentation``, ``installation``, ``background``,
        ``training_installation``, ``engine``, ``open_runs()``, ``getParameterNode()`` and ``close()``.
    dialogs : Dialogs, optional
    shelf : GeneratorShelf, optional
    """

    def __init__(self, ui, logic, dialogs=None, shelf=None) -> None:
        self._ui = ui
        self._logic = logic
        self._parameters = None
        self._gui_tag = None
        self._entered = False
        self._observed: list[tuple] = []
        dialogs = dialogs or Dialogs()
        self.errors = ErrorPanel(ui)
        self.banner = DependencyBanner(ui, logic.installation, dialogs)
        self.inputs = InputsSection(ui, dialogs)
        self.generator = GeneratorSection(ui, shelf or GeneratorShelf(), logic.background, dialogs)
        self.settings = SettingsSection(ui, logic.background.find_devices)
        self.engine = EngineSection(ui, logic.engine)
        self.run_section = RunSection(ui)
        self.run = RunController(logic.synthesis, logic.segmentation, self.run_section, self.errors, self.inputs)
        self.results = ResultsSection(ui, dialogs)
        self.dicom = DicomExportButton(ui, logic.background, dialogs, lambda: self.results.nodes)
        self.review = ReviewSection(ui)
        self.batch = BatchSection(ui, logic, dialogs, self.generator)
        self.fine_tune = FineTuneSection(ui, logic, dialogs, self.generator, self.settings)
        self._watch = NodeWatch(self.refresh)
        self._connect()
        register_layouts(slicer.mrmlScene)  # a scene that was saved in the review asks for them

    def _connect(self) -> None:
        parts = (self.banner, self.inputs, self.generator, self.settings, self.results, self.review)
        parts = (*parts, self.dicom, self.batch, self.fine_tune)
        for part in parts:
            part.failed.connect(self.errors.show)
        self.banner.changed.connect(self._on_packages_changed)
        self.banner.installing.connect(self.engine.end)  # packages that are in use cannot be replaced on Windows
        for part in (self.inputs, self.generator, self.settings, self.run):
            part.changed.connect(self.refresh)
        self.inputs.derive_asked.connect(self.run.derive_segmentation)
        self.inputs.sample_asked.connect(self._on_sample_asked)
        self.run_section.start_asked.connect(self.run.synthesize)
        self.run_section.cancel_asked.connect(self.run.cancel)
        self.run.finished.connect(self._on_finished)
        self.run.segmented.connect(self._on_segmented)
        self.results.chosen.connect(self._on_result_chosen)
        self.batch.loaded.connect(lambda _ct, nodes: self._on_finished(nodes))
        self.fine_tune.installed.connect(self.generator.choose_installed)

    @property
    def parameters(self):
        """The choices of the user (``Parameters``); None while a scene is being closed."""
        return self._parameters

    def enter(self) -> None:
        """The user opens the module."""
        self._entered = True
        self._unbind()
        self._set_parameters(self._logic.getParameterNode())
        select_default_nodes(self._parameters)
        self._bind()
        self._on_packages_changed()
        self.batch.enter()
        self.fine_tune.enter()

    def exit(self) -> None:
        """The user opens another module; a run goes on."""
        self._entered = False
        self._unbind()
        self.batch.exit()
        self.fine_tune.exit()

    def close(self) -> None:
        """The module goes away: a run is ended, nothing is observed any more. May be called again."""
        self.exit()
        self.engine.close()
        self.batch.close()
        self.fine_tune.close()
        self.dicom.close()
        self._logic.close()
        self._set_parameters(None)

    def scene_closing(self) -> None:
        """The scene is about to be closed: its nodes must not be used any more."""
        self.run.cancel()
        self._unbind()
        self._set_parameters(None)
        self.errors.hide()
        self.refresh()

    def scene_changed(self) -> None:
        """Another scene has been loaded, or a new one begins."""
        register_layouts(slicer.mrmlScene)  # writes the caution into the views again, which no scene file holds
        if self._entered:
            self.enter()

    def refresh(self) -> None:
        """Show the state anew."""
        parameters, busy = self._parameters, self.run.running
        self.generator.refresh(busy)
        schema = self.generator.schema if self.banner.complete else None
        self.settings.refresh(self.generator.entry, busy)
        self.inputs.refresh(schema, busy)
        self.results.refresh()
        self.dicom.refresh(self.results.nodes is not None and self.banner.complete)
        self.review.set_result(self.results.nodes, parameters.segmentation if parameters is not None else None)
        found = readiness_check.findings(
            parameters,
            self.banner.complete,
            self.generator.entry,
            schema,
            self.inputs.classes,
            self.settings.free_bytes,
        )
        self.run_section.set_readiness(found, readiness_check.is_ready(parameters, found))
        self.batch.refresh(self.banner.complete)
        self.fine_tune.refresh()
        if self._entered and parameters is not None:
            self._watch.watch([parameters.ct, parameters.segmentation])

    # Parameter node and scene

    def _set_parameters(self, parameters) -> None:
        self._parameters = parameters
        for part in (self.inputs, self.generator, self.settings, self.run, self.results, self.batch):
            part.set_parameters(parameters)

    def _bind(self) -> None:
        """Bind widgets to the parameter node, and look out for changes of it and of the scene."""
        self._gui_tag = self._parameters.connectGui(self._ui)
        scene = slicer.mrmlScene
        node = self._parameters.parameterNode
        self._observed = [(node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_something_changed))]
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self._observed.append((scene, scene.AddObserver(event, self._on_something_changed)))

    def _unbind(self) -> None:
        if self._gui_tag is not None and self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
        self._gui_tag = None
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        self._watch.clear()

    def _on_something_changed(self, _caller, _event) -> None:
        self._watch.later()

    # What the parts tell

    def _on_packages_changed(self) -> None:
        self.banner.refresh()
        self.generator.reload()
        self.refresh()
        if self.banner.complete:
            self.settings.find_devices_once()

    def _on_sample_asked(self) -> None:
        from .sample_data import load_sample_data

        try:
            with slicer.util.WaitCursor():
                ct, segmentation = load_sample_data()
        except Exception as error:
            self.errors.show(
                MedUSISError(
                    ErrorCode.INPUT_NOT_READABLE,
                    _("the sample head could not be loaded: {reason}").format(reason=error),
                    _("install MedUSIS again"),
                )
            )
            return
        self._parameters.ct = ct
        self._parameters.segmentation = segmentation
        slicer.util.setSliceViewerLayers(background=ct, fit=True)
        self.refresh()

    def _on_segmented(self, node) -> None:
        if self._parameters is not None:
            self._parameters.segmentation = node
        self.refresh()

    def _on_finished(self, nodes) -> None:
        if self._parameters is not None:
            self._parameters.result = nodes.mr
        self.refresh()
        if self._entered:
            self._ui.resultsCollapsibleButton.collapsed = False
            self.review.show_views()
            scroll_to(self._ui.resultsCollapsibleButton)

    def _on_result_chosen(self) -> None:
        self.refresh()
        self.review.show_views()
