"""The part "Fine-tune a generator": nothing of it is loaded before it is opened."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .dependency_banner import DependencyBanner
from .folded_part import FoldedPart
from .rich_text import marked

UI_FILE = Path(__file__).resolve().parents[1] / "Resources" / "UI" / "FineTune.ui"


class FineTuneSection(FoldedPart):
    """The first opening loads ``FineTune.ui`` and its parts.

    The trainings themselves live elsewhere (``MedUSISLib.runs``): closing this part, the scene or Slicer leaves them
    alone. They are looked at once a second, only while this part is open and its module is shown.

    Parameters
    ----------
    ui : widgets of MedUSIS.ui
    logic : MedUSISLogic
        ``background``, ``training_installation`` and ``open_runs()``.
    dialogs : Dialogs
    generators : GeneratorSection
    settings : SettingsSection
        Knows the devices.

    Attributes
    ----------
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    installed : Signal
        With the id of a generator that was installed from here.
    """

    def __init__(self, ui, logic, dialogs, generators, settings) -> None:
        super().__init__(ui.fineTuneCollapsibleButton)
        self._logic = logic
        self._dialogs = dialogs
        self._generators = generators
        self._devices = settings
        self.ui = None
        self.banner: DependencyBanner | None = None
        self.failed = Signal()
        self.installed = Signal()

    def refresh(self) -> None:
        """Generators or devices may be others now."""
        if self._parts is not None and self.opened:
            self._parts.refresh()

    def _update(self) -> None:
        if self.opened and self.ui is None:
            self._load()
        if self.opened:
            self._look_for_packages()
        if self._parts is not None:
            self._parts.set_seen(self.opened)

    def _load(self) -> None:
        widget = slicer.util.loadUI(str(UI_FILE))
        self._button.layout().addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        banner_ui = SimpleNamespace(
            dependencyFrame=self.ui.trainingDependencyFrame,
            dependencyLabel=self.ui.trainingDependencyLabel,
            dependencyInstallButton=self.ui.trainingDependencyInstallButton,
            dependencyWheelsButton=self.ui.trainingDependencyWheelsButton,
        )
        self.banner = DependencyBanner(banner_ui, self._logic.training_installation, self._dialogs)
        self.banner.failed.connect(self.failed)
        self.banner.changed.connect(self._update)

    def _look_for_packages(self) -> None:
        assert self.banner is not None and self.ui is not None
        self.banner.refresh()
        self.ui.fineTuneContent.visible = self.banner.complete
        if self.banner.complete and self._parts is None:
            self._parts = _Parts(self.ui, self._logic, self._dialogs, self._generators, self._devices)
            self._parts.failed.connect(self.failed)
            self._parts.installed.connect(self.installed)
            self._parts.begin()


class _Parts:
    """What works once the packages are there, and who hears whom."""

    def __init__(self, ui, logic, dialogs, generators, devices) -> None:
        from MedUSISLib.mrml.fine_tune_runs import RunList

        from .fine_tune_case import CaseDetails
        from .fine_tune_cases import CasesTable
        from .fine_tune_folders import TrainingFolders
        from .fine_tune_form import FineTuneForm
        from .fine_tune_run import RunView
        from .fine_tune_runs import RunsTable
        from .fine_tune_scan import ScanControl
        from .fine_tune_start import FineTuneStart

        self._ui = ui
        self._dialogs = dialogs
        self._generators = generators
        self._devices = devices
        self._mapping_changed = False
        self.failed = Signal()
        self.installed = Signal()
        self.folders = TrainingFolders(ui, dialogs)
        self.scan = ScanControl(ui, self.folders, logic.background.scan_dataset, self._schema)
        self.cases = CasesTable(ui.casesTable)
        self.case = CaseDetails(ui, dialogs)
        self.form = FineTuneForm(ui)
        self.start = FineTuneStart(ui, dialogs, logic.background.estimate_training)
        self.run_list = RunList(logic.open_runs)
        self.runs = RunsTable(ui, self.run_list, dialogs)
        self.run = RunView(ui, self.run_list, logic.background, dialogs, self._is_installed)
        for part in (self.scan, self.start, self.runs, self.run):
            part.failed.connect(self.failed)
        self.folders.changed.connect(self._on_folders_changed)
        self.scan.changed.connect(self._on_dataset)
        self.scan.scanned.connect(lambda: self._note_mapping(False))
        self.cases.selected.connect(self._show_case)
        self.cases.use_changed.connect(self._on_use)
        self.case.side_chosen.connect(self._on_side)
        self.case.sequence_chosen.connect(self._on_sequence)
        self.case.mapping_chosen.connect(self._on_mapping)
        self.form.changed.connect(self.refresh)
        self.start.start_asked.connect(self._on_start)
        self.runs.looked.connect(lambda: self.run.show(self.runs.line))
        self.run.installed.connect(self._on_installed)
        ui.datasetPageButton.connect("clicked(bool)", self._on_page)

    def begin(self) -> None:
        """Show what the working folder and the runs hold already."""
        self.scan.reload()

    def close(self) -> None:
        """End what belongs to the window."""
        self.set_seen(False)
        self.scan.cancel()
        self.start.close()
        self.run.close()

    def set_seen(self, seen: bool) -> None:
        """Look at the runs only while they can be seen; an estimate for nobody is not made."""
        self.runs.set_seen(seen)
        if seen:
            self.scan.reload_if_changed()
            self.start.forget(True)
            self.refresh()
        else:
            self.start.close()

    def refresh(self) -> None:
        """Show the settings and what stands against a start."""
        view = self.scan.view
        entries = self._generators.entries
        sequences = view.sequences if view is not None else {}
        taken = {entry.id for entry in entries} | self.run_list.names()
        self.form.refresh(entries, self._devices.device_entries, sequences, self.folders.working, taken)
        settings = self.form.settings
        self.start.refresh(settings, self._entry(), view, taken)
        self._show_note()

    def _entry(self):
        """The generator to start from (``ShelfEntry``), None when it is not there."""
        chosen = self.form.settings.generator
        return next((entry for entry in self._generators.entries if entry.id == chosen), None)

    def _schema(self) -> str:
        """Label maps are checked against the classes of the generator to start from."""
        entry = self._entry()
        return entry.schema_id if entry is not None else "head"

    # Data

    def _on_folders_changed(self) -> None:
        self.scan.reload_if_changed()
        self.refresh()

    def _on_dataset(self) -> None:
        from MedUSISLib.mrml.fine_tune_data import summary

        view = self.scan.view
        text = ""
        if view is not None:
            text = summary(view)
            if view.changes:
                text += " " + _("Since the scan before: {changes}.").format(changes=", ".join(view.changes))
        self._ui.datasetSummaryLabel.text = text
        self._ui.datasetSummaryLabel.visible = bool(text)
        self._ui.datasetPageButton.visible = view is not None
        self.cases.show(view.rows if view is not None else ())
        self._show_case()
        self.start.forget()
        self.refresh()

    def _show_case(self) -> None:
        view = self.scan.view
        self.case.show(self.cases.chosen, view.schema if view is not None else "head")

    def _on_use(self, cases, use: bool) -> None:
        from MedUSISLib.dataset.editing import use_case

        def change(dataset) -> None:
            for case in cases:
                use_case(dataset, case, use)

        self.scan.edit(change)
        self.cases.refresh_ticks()

    def _on_side(self, people, side: str) -> None:
        from MedUSISLib.dataset.editing import set_split

        self.scan.edit(lambda dataset: [set_split(dataset, person, side) for person in people])

    def _on_sequence(self, files, sequence: str) -> None:
        from MedUSISLib.dataset.editing import set_sequence

        self.scan.edit(lambda dataset: [set_sequence(dataset, file, sequence) for file in files])

    def _on_mapping(self, files, mapping: str | None) -> None:
        from MedUSISLib.dataset.editing import set_mapping

        self.scan.edit(lambda dataset: [set_mapping(dataset, file, mapping) for file in files])
        self._note_mapping(True)

    def _note_mapping(self, to_be_checked: bool) -> None:
        self._mapping_changed = to_be_checked
        self._show_note()

    def _show_note(self) -> None:
        """Why to scan again, if there is a reason."""
        text = ""
        if self._mapping_changed:
            text = _("Scan again, so that the meaning of the labels is checked and used.")
        elif not self.scan.is_of_these_folders:
            text = _("The table is of other folders than those above: scan again.")
        self._ui.datasetNoteLabel.text = marked("look", text) if text else ""
        self._ui.datasetNoteLabel.visible = bool(text)

    def _on_page(self, _checked: bool = False) -> None:
        from MedUSISLib.dataset.model import PAGE_NAME

        if self.scan.view is not None:
            self._dialogs.open_outside(self.scan.view.folder / PAGE_NAME)

    # Runs

    def _on_start(self, specification, settings) -> None:
        try:
            run = self.run_list.store.submit(specification, settings.name)
        except MedUSISError as error:
            self.failed(error)
            return
        self.runs.choose(run.id)
        ahead = self.runs.ahead_of(run.id)
        if ahead:
            text = _("'{name}' waits: it begins when '{other}' has ended.").format(name=settings.name, other=ahead[-1])
        elif self.run_list.others_at_work():
            text = _("'{name}' waits: it begins when the batch has ended.").format(name=settings.name)
        else:
            text = _("'{name}' has been started. Slicer may be closed.").format(name=settings.name)
        self.start.say(text)
        self.form.suggest_name()
        self.refresh()

    def _is_installed(self, identifier: str) -> bool:
        return any(entry.id == identifier and entry.removable for entry in self._generators.entries)

    def _on_installed(self, identifier: str) -> None:
        self.installed(identifier)
        self.refresh()
