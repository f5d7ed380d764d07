"""What a batch is made of: CTs, folder for the results, what segments, what labels mean, how many at a time."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MedUSISLib.mrml.batch_logic import BatchSettings, default_out, settings_text
from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox

_SOURCE_KEY = "MedUSIS/Batch/Source"
_OUT_KEY = "MedUSIS/Batch/Out"
_CHOOSE_TABLE = "choose a table"


class BatchForm:
    """Widgets and ``BatchSettings``. Generator and settings of the synthesis are those of the panel.

    Folders name patients, perhaps, so they are kept in the settings of this user on this computer: a scene may be
    given away.

    Parameters
    ----------
    ui : widgets of Batch.ui
    dialogs : Dialogs

    Attributes
    ----------
    changed : Signal
        Without arguments.
    out_chosen : Signal
        With the folder that the user has chosen for the results.
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self.changed = Signal()
        self.out_chosen = Signal()
        self._source = _read(_SOURCE_KEY)
        self._out = _read(_OUT_KEY)
        self._labels = ""
        self._segment_combo = ValueComboBox(ui.batchSegmentComboBox)
        self._segment_combo.fill(
            [
                ("", _("leave the CT out")),
                ("head-seg", _("segment it with head-seg")),
                ("totalsegmentator", _("segment it with TotalSegmentator")),
            ],
            "",
        )
        self._segment_combo.chosen.connect(lambda _value: self.changed())
        self._labels_combo = ValueComboBox(ui.batchLabelsComboBox)
        self._labels_combo.chosen.connect(self._on_labels)
        ui.batchWorkersSpinBox.connect("valueChanged(int)", lambda _value: self.changed())
        ui.batchFolderButton.connect("clicked(bool)", self._on_folder)
        ui.batchTableButton.connect("clicked(bool)", self._on_table)
        ui.batchOutButton.connect("clicked(bool)", self._on_out)
        self._show()

    def settings(self, synthesis) -> BatchSettings:
        """As they are shown, with these settings of the synthesis."""
        return BatchSettings(
            source=self._source,
            out=self._out,
            synthesis=synthesis,
            segment=self._segment_combo.value or "",
            labels=self._labels,
            workers=int(self._ui.batchWorkersSpinBox.value),
        )

    def refresh(self, synthesis, title: str, mappings, busy: bool) -> None:
        """Show what can be chosen now.

        Parameters
        ----------
        synthesis : SynthesisSettings
        title : str
            Of the chosen generator.
        mappings : sequence of str
            Names of label mappings for its classes.
        busy : bool
            The data are being looked at.
        """
        entries = [("", _("found out for each segmentation"))]
        entries += [(name, _("Mapping '{name}'").format(name=name)) for name in mappings]
        if self._labels and self._labels not in mappings:
            entries.append((self._labels, _("The table {name}").format(name=Path(self._labels).name)))
        entries.append((_CHOOSE_TABLE, _("From a CSV table...")))
        self._labels_combo.fill(entries, self._labels)
        self._ui.batchSettingsLabel.text = settings_text(synthesis, title)
        for button in (self._ui.batchFolderButton, self._ui.batchTableButton):
            button.enabled = not busy

    def choose_source(self, path: Path) -> None:
        """Take these CTs, and propose a new folder beside them for the results."""
        self._source, self._out = path, default_out(path)
        self._store()

    def choose_out(self, path: Path) -> None:
        """Write into this folder."""
        self._out = path
        self._store()

    def propose_another_out(self, used: Path) -> None:
        """This folder is in use now: the next batch gets another one."""
        if self._source is not None:
            self.choose_out(default_out(self._source, {used}))

    def _on_folder(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("Folder with CTs and their segmentations"))
        if folder is not None:
            self.choose_source(folder)

    def _on_table(self, _checked: bool = False) -> None:
        path = self._dialogs.open_file(_("Table of cases"), _("Tables (*.csv *.tsv *.txt);;All files (*)"))
        if path is not None:
            self.choose_source(path)

    def _on_out(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("New folder for the results, inside the hospital"))
        if folder is not None:
            self.choose_out(folder)
            self.out_chosen(folder)

    def _on_labels(self, value: str) -> None:
        if value == _CHOOSE_TABLE:
            self._labels_combo.select(self._labels)
            path = self._dialogs.open_file(
                _("Table with the columns value,name,class"), _("Tables (*.csv *.tsv *.txt);;All files (*)")
            )
            value = str(path) if path is not None else self._labels
        self._labels = value
        self.changed()

    def _store(self) -> None:
        settings = slicer.app.userSettings()
        settings.setValue(_SOURCE_KEY, str(self._source or ""))
        settings.setValue(_OUT_KEY, str(self._out or ""))
        self._show()
        self.changed()

    def _show(self) -> None:
        self._ui.batchInputEdit.text = str(self._source or "")
        self._ui.batchOutEdit.text = str(self._out or "")


def _read(key: str) -> Path | None:
    text = str(slicer.app.userSettings().value(key, "") or "")
    return Path(text) if text else None
