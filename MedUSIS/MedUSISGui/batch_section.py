"""The part "Batch": nothing of it is loaded before it is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .folded_part import FoldedPart
from .parameters import settings_of
from .rich_text import finding_line, marked

UI_FILE = Path(__file__).resolve().parents[1] / "Resources" / "UI" / "Batch.ui"


class BatchSection(FoldedPart):
    """The first opening loads ``Batch.ui`` and its parts.

    The batches live elsewhere (``MedUSISLib.runs``, ``MedUSISLib.batch``): closing this part, the scene or Slicer
    leaves them alone. They are looked at once a second, only while this part is open and its module is shown.

    Parameters
    ----------
    ui : widgets of MedUSIS.ui
    logic : MedUSISLogic
        ``background`` and ``open_runs()``.
    dialogs : Dialogs
    generators : GeneratorSection

    Attributes
    ----------
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    loaded : Signal
        With the CT's node and the ``SynthesisNodes`` of a case that came into the scene.
    """

    def __init__(self, ui, logic, dialogs, generators) -> None:
        super().__init__(ui.batchCollapsibleButton)
        self._logic = logic
        self._dialogs = dialogs
        self._generators = generators
        self._parameters = None
        self._complete = False
        self.ui = None
        self.failed = Signal()
        self.loaded = Signal()

    def set_parameters(self, parameters) -> None:
        """Use another parameter node, or none."""
        self._parameters = parameters

    def refresh(self, complete: bool) -> None:
        """Packages, generator or settings may be others now."""
        if complete != self._complete:
            self._complete = complete
            self._update()
        if self._parts is not None and self.opened:
            self._parts.refresh(self._parameters)

    def _update(self) -> None:
        if self.opened:
            if self.ui is None:
                widget = slicer.util.loadUI(str(UI_FILE))
                self._button.layout().addWidget(widget)
                self.ui = slicer.util.childWidgetVariables(widget)
            self.ui.batchMissingLabel.visible = not self._complete
            self.ui.batchContent.visible = self._complete
            if self._complete and self._parts is None:
                self._parts = _Parts(self.ui, self._logic, self._dialogs, self._generators)
                self._parts.failed.connect(self.failed)
                self._parts.loaded.connect(self.loaded)
        if self._parts is not None:
            self._parts.set_seen(self.opened and self._complete, self._parameters)


class _Parts:
    """What works once the packages are there, and who hears whom."""

    def __init__(self, ui, logic, dialogs, generators) -> None:
        from MedUSISLib.mrml.batch_list import BatchList

        from .batch_form import BatchForm
        from .batch_look import LookControl
        from .batch_runs import BatchRuns

        self._ui = ui
        self._generators = generators
        self._parameters = None
        self.failed = Signal()
        self.loaded = Signal()
        self.list = BatchList(logic.open_runs)
        self.form = BatchForm(ui, dialogs)
        self.look = LookControl(ui, logic.background.look_for_cases, dialogs)
        self.runs = BatchRuns(ui, self.list, dialogs)
        for part in (self.look, self.runs):
            part.failed.connect(self.failed)
        self.form.changed.connect(self._on_changed)
        self.form.out_chosen.connect(self._on_out_chosen)
        self.look.changed.connect(self._show)
        self.runs.load_asked.connect(self._on_load)
        ui.batchLookButton.connect("clicked(bool)", self._on_look)
        ui.batchStartButton.connect("clicked(bool)", self._on_start)
        self._say("")

    def close(self) -> None:
        """End what belongs to the window."""
        self.look.cancel()
        self.runs.close()

    def set_seen(self, seen: bool, parameters) -> None:
        """Look at the batches only while they can be seen."""
        self.runs.set_seen(seen)
        if seen:
            self.refresh(parameters)

    def refresh(self, parameters) -> None:
        """Show generator, settings and what stands against a start."""
        self._parameters = parameters
        self._show()

    @property
    def settings(self):
        """The batch as it is planned (``BatchSettings``)."""
        from MedUSISLib.mrml.settings import SynthesisSettings

        chosen = settings_of(self._parameters) if self._parameters is not None else SynthesisSettings()
        manifest = self._generators.entry.manifest if self._generators.entry is not None else None
        if manifest is not None and manifest.spatial_dims == 3:
            chosen = replace(chosen, mode="window")  # the panel may still hold that of another generator
        return self.form.settings(chosen)

    def _show(self) -> None:
        from MedUSISLib.mrml.batch_logic import check

        settings = self.settings
        entry = self._generators.entry
        title = entry.title if entry is not None else settings.synthesis.generator
        self.form.refresh(settings.synthesis, title, self._mappings(entry), self.look.running)
        self.look.show(settings.source)
        found = check(settings, entry is not None, self.look.found(settings.source))
        self._ui.batchReadinessLabel.text = "<br>".join(finding_line(finding) for finding in found)
        self._ui.batchReadinessLabel.visible = bool(found)
        blocked = any(finding.blocking for finding in found)
        self._ui.batchStartButton.enabled = not blocked and not self.look.running and self._parameters is not None
        self._ui.batchLookButton.enabled = settings.source is not None and not self.look.running

    def _mappings(self, entry):
        if entry is None:
            return []
        from MedUSISLib.anatomy.mapping import available_mappings

        return available_mappings(entry.schema_id)

    def _on_changed(self) -> None:
        self._say("")
        self._show()

    def _on_out_chosen(self, folder: Path) -> None:
        """A folder that holds a batch already: show that one, so that the user can go on with it."""
        from MedUSISLib.mrml.batch_logic import holds_batch

        if holds_batch(folder):
            self.runs.open(folder)

    def _on_look(self, _checked: bool = False) -> None:
        self._say("")
        self.look.start(self.settings)

    def _on_start(self, _checked: bool = False) -> None:
        settings = self.settings
        waits = self.list.waits()
        try:
            folder = self.list.start(settings)
        except MedUSISError as error:
            self.failed(error)
            return
        self.form.propose_another_out(settings.out)
        self.runs.choose(folder)
        name = settings.out.name
        if waits:
            self._say(_("'{name}' waits: it begins when another background run has ended.").format(name=name))
        else:
            self._say(_("'{name}' has been started. Slicer may be closed.").format(name=name))

    def _say(self, text: str) -> None:
        self._ui.batchStartedLabel.text = marked("ok", text) if text else ""
        self._ui.batchStartedLabel.visible = bool(text)

    def _on_load(self, folder, line) -> None:
        from MedUSISLib.mrml.batch_case import load_case
        from MedUSISLib.mrml.settings import OutputChoice

        chosen = self._parameters
        outputs = OutputChoice()
        if chosen is not None:
            outputs = OutputChoice(chosen.outputUncertainty, chosen.outputConsistency, chosen.outputLabels)
        try:
            with slicer.util.WaitCursor():
                case = load_case(folder, line.number, outputs)
        except MedUSISError as error:
            self.failed(error)
            return
        self.loaded(case.ct, case.nodes)
