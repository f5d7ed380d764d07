"""The settings of a fine-tuning: a few for everybody, the rest under "Advanced"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from slicer.i18n import tr as _

from MedUSISLib.mrml.fine_tune_figures import CRITERIA, FIGURES
from MedUSISLib.mrml.fine_tune_settings import FROZEN, LENGTHS, OWN, FineTuneSettings, default_name
from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox

_NUMBERS = {
    "trainingBatchSpinBox": "batch_size",
    "firstIterationsSpinBox": "first_iterations",
    "secondIterationsSpinBox": "second_iterations",
    "patienceSpinBox": "patience",
    "trainingSeedSpinBox": "seed",
}


class FineTuneForm:
    """Widgets and ``FineTuneSettings``, each following the other.

    Parameters
    ----------
    ui : widgets of FineTune.ui

    Attributes
    ----------
    changed : Signal
        Without arguments: the user has changed a setting.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._settings = FineTuneSettings()
        self._silent = False
        self._named_by_hand = False
        self.changed = Signal()
        self._combos: dict[str, ValueComboBox] = {}
        for name, widget in (
            ("generator", ui.parentComboBox),
            ("sequence", ui.sequenceComboBox),
            ("device", ui.trainingDeviceComboBox),
            ("frozen", ui.frozenComboBox),
            ("criterion", ui.criterionComboBox),
        ):
            self._combos[name] = ValueComboBox(widget)
            self._combos[name].chosen.connect(lambda value, name=name: self._on_chosen(name, value))
        self._length = ValueComboBox(ui.lengthComboBox)
        self._length.chosen.connect(self._on_length)
        for widget, name in _NUMBERS.items():
            getattr(ui, widget).connect("valueChanged(int)", lambda value, name=name: self._on_number(name, int(value)))
        ui.rateFactorSpinBox.connect("valueChanged(double)", lambda value: self._on_number("rate_factor", value))
        ui.newNameEdit.connect("textChanged(QString)", self._on_name)

    @property
    def settings(self) -> FineTuneSettings:
        """As they are shown."""
        return self._settings

    def refresh(self, entries, devices, sequences, folder: Path, taken) -> None:
        """Show what can be chosen now.

        Parameters
        ----------
        entries : sequence of ShelfEntry
            Generators to start from.
        devices : sequence of (id, text)
        sequences : mapping of str to int
            How many MRs of which sequence the data have.
        folder : Path
            The working folder.
        taken : set of str
            Names that are given already.
        """
        settings = replace(self._settings, folder=folder)
        ids = [entry.id for entry in entries]
        if ids and settings.generator not in ids:
            settings = replace(settings, generator=ids[0])
        if not self._named_by_hand:
            settings = replace(settings, name=_free_name(settings, taken))
        if settings.sequence and settings.sequence not in sequences:
            settings = replace(settings, sequence="")
        self._settings = settings
        self._combos["generator"].fill(
            [(entry.id, entry.title) for entry in entries], settings.generator, _("{value} (not installed)")
        )
        self._combos["device"].fill(devices, settings.device, _("{value} (not found)"))
        self._combos["sequence"].fill(_sequence_entries(sequences), settings.sequence)
        self._combos["frozen"].fill([(name, _frozen_title(name)) for name in FROZEN], settings.frozen)
        self._combos["criterion"].fill([(name, _criterion_title(name)) for name in CRITERIA], settings.criterion)
        self._show()

    def suggest_name(self) -> None:
        """A run of this name has begun: from the next ``refresh`` on another one is suggested."""
        self._named_by_hand = False

    def _on_chosen(self, name: str, value: str) -> None:
        self._change(**{name: value})

    def _on_length(self, name: str) -> None:
        if name == OWN:
            self._ui.trainingAdvancedCollapsibleButton.collapsed = False
            return
        first, second = LENGTHS[name]
        self._change(first_iterations=first, second_iterations=second)

    def _on_number(self, name: str, value: float) -> None:
        if not self._silent:
            self._change(**{name: value})

    def _on_name(self, text: str) -> None:
        if not self._silent:
            self._named_by_hand = True
            self._change(name=str(text).strip())

    def _change(self, **changes) -> None:
        self._settings = replace(self._settings, **changes)
        self._show()
        self.changed()

    def _show(self) -> None:
        settings = self._settings
        self._silent = True
        try:
            for widget, name in _NUMBERS.items():
                getattr(self._ui, widget).value = getattr(settings, name)
            self._ui.rateFactorSpinBox.value = settings.rate_factor
            self._length.fill([(name, _length_title(name)) for name in (*LENGTHS, OWN)], settings.length)
            if self._ui.newNameEdit.text.strip() != settings.name:
                self._ui.newNameEdit.text = settings.name
        finally:
            self._silent = False


def _free_name(settings: FineTuneSettings, taken) -> str:
    """The first name that no generator, run or folder has."""
    name = default_name(settings.generator)
    while name in taken or (settings.folder / name).exists():
        name = default_name(name)
    return name


def _length_title(name: str) -> str:
    if name == OWN:
        return _("own numbers (Advanced)")
    first, second = LENGTHS[name]
    titles = {"short": _("Short: {count} iterations"), "normal": _("Normal: {count} iterations")}
    return titles.get(name, _("Long: {count} iterations")).format(count=first + second)


def _sequence_entries(sequences) -> list[tuple[str, str]]:
    total = sum(sequences.values())
    entries = [("", _("all ({count} MR)").format(count=total))]
    return entries + [(name, f"{name} ({count} MR)") for name, count in sorted(sequences.items()) if name]


def _frozen_title(name: str) -> str:
    return {
        "none": _("nothing stays: all is trained"),
        "early_blocks": _("early blocks stay"),
        "all_but_spade_and_last_blocks": _("all but SPADE and the last blocks stays"),
    }.get(name, name)


def _criterion_title(name: str) -> str:
    title = FIGURES[name].title
    return title[:1].upper() + title[1:]
