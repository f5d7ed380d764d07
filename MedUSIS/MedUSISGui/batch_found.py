"""What a look has found, line by line: cases, what became none and what to do about it; and the table of cases."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.batch_found import lists_of, write_table
from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox
from .rich_text import escaped, marked, sentence

_ROW_HEIGHT = 22
_ROWS_SHOWN = 6
_WHERE_WIDTH = 150
_MOST_ROWS = 500
"""Nobody reads more, and the window would wait for them."""


class FoundLists:
    """One table for three lists, the most urgent first; a chosen line says all there is to say below the table.

    Parameters
    ----------
    ui : widgets of Batch.ui
    dialogs : Dialogs

    Attributes
    ----------
    failed : Signal
        With a ``MedUSISError``.
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self._found = None
        self._source = None
        self._lists: dict = {}
        self._lines: tuple = ()
        self._silent = False
        self.failed = Signal()
        self._choice = ValueComboBox(ui.batchFoundComboBox)
        self._choice.chosen.connect(lambda _name: self._fill())
        table = ui.batchFoundTable
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Interactive)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        header.resizeSection(0, _WHERE_WIDTH)
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.Fixed)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        table.connect("itemSelectionChanged()", self._on_selection)
        ui.batchSaveTableButton.connect("clicked(bool)", self._on_save)

    def set_visible(self, visible: bool) -> None:
        """Show the lists, if there is anything in them."""
        self._ui.batchFoundFrame.visible = visible and bool(self._lists)

    def show(self, found, source) -> None:
        """Show what was found (``Found``) in this folder or table."""
        self._found, self._source = found, source
        self._lists = lists_of(found, source, _MOST_ROWS)
        titles = {"unused": _("Became no case"), "notes": _("To be looked at"), "cases": _("Cases")}
        entries = [(name, f"{titles[name]} ({listed.total})") for name, listed in self._lists.items()]
        self._choice.fill(entries, entries[0][0] if entries else None)
        self._ui.batchSaveTableButton.enabled = found.listed is not None
        self._say("")
        self._fill()

    def _fill(self) -> None:
        listed = self._lists.get(self._choice.value)
        self._lines = listed.lines if listed is not None else ()
        rows = [(line.where, line.what, "\n".join((line.where, *line.details))) for line in self._lines]
        if listed is not None and listed.total > len(rows):
            rows.append(("...", _("and {count} more").format(count=listed.total - len(rows)), ""))
        table = self._ui.batchFoundTable
        table.setHorizontalHeaderLabels(
            [_("CT"), _("Segmentation")] if self._choice.value == "cases" else [_("Where"), _("What")]
        )
        self._silent = True
        try:
            table.setRowCount(0)
            table.setRowCount(len(rows))
            for row, (where, what, tip) in enumerate(rows):
                for column, text in enumerate((where, what)):
                    item = qt.QTableWidgetItem(text)
                    item.setToolTip(tip)
                    table.setItem(row, column, item)
        finally:
            self._silent = False
        table.setFixedHeight((min(len(rows), _ROWS_SHOWN) + 1) * _ROW_HEIGHT + 8)
        self._on_selection()

    def _on_selection(self) -> None:
        if self._silent:
            return
        rows = [index.row() for index in self._ui.batchFoundTable.selectionModel().selectedRows()]
        line = self._lines[rows[0]] if rows and rows[0] < len(self._lines) else None
        label = self._ui.batchFoundDetailsLabel
        label.visible = line is not None
        if line is not None:
            label.text = "<br>".join((f"<b>{escaped(line.where)}</b>", *(sentence(part) for part in line.details)))

    def _on_save(self, _checked: bool = False) -> None:
        path = self._dialogs.save_file(_("Save the table of cases"), "cases.csv", _("Tables (*.csv)"))
        if path is None:
            return
        try:
            path = write_table(self._found, self._source, path)
        except MedUSISError as error:
            self.failed(error)
            return
        text = _("Saved as {name}. Correct it in a spreadsheet program, then choose it above with 'Table...'.")
        self._say(marked("ok", escaped(text.format(name=path.name))))

    def _say(self, text: str) -> None:
        self._ui.batchTableSavedLabel.text = text
        self._ui.batchTableSavedLabel.visible = bool(text)
