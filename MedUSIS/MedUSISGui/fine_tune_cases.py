"""The table of cases: what each holds, whose it is, on which side, what is wrong with it, and whether it is used."""

from __future__ import annotations

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .call_later import call_later
from .rich_text import COLORS

_ROW_HEIGHT = 22
_ROWS_SHOWN = 8
_AT_ONCE = 80
_PERSON_WIDTH = 62
_LEVELS = {"error": "worry", "warning": "look", "note": "unknown"}
_USE, _PERSON, _HOLDS, _SIDE, _PROBLEMS = range(5)


def side_title(side: str) -> str:
    """What a person reads for a side of the split."""
    return {"train": _("training"), "validation": _("validation"), "test": _("test")}.get(side, side)


class CasesTable:
    """Shows rows (``CaseRow``), many of them in steps, so that the window never waits.

    Parameters
    ----------
    table : QTableWidget
        With five columns.

    Attributes
    ----------
    use_changed : Signal
        With the ids of cases and whether they are to be used; a tick in one of several chosen rows is for all of them.
    selected : Signal
        Without arguments: other rows are chosen.
    """

    def __init__(self, table) -> None:
        self._table = table
        self._rows: list = []
        self._filled = -1
        self._silent = False
        self.use_changed = Signal()
        self.selected = Signal()
        header = table.horizontalHeader()
        for column in (_USE, _SIDE):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        for column in (_HOLDS, _PROBLEMS):
            header.setSectionResizeMode(column, qt.QHeaderView.Stretch)
        header.resizeSection(_PERSON, _PERSON_WIDTH)
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.Fixed)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.setSelectionMode(qt.QAbstractItemView.ExtendedSelection)
        table.connect("itemChanged(QTableWidgetItem*)", self._on_item_changed)
        table.connect("itemSelectionChanged()", self._on_selection)
        self.show(())

    @property
    def chosen(self) -> list:
        """The rows that the user has chosen, in their order."""
        numbers = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return [self._rows[number] for number in numbers if number < len(self._rows)]

    def show(self, rows: Sequence) -> None:
        """Show these rows; those that are the same as before stay untouched."""
        old, new = self._rows, list(rows)
        if old == new and self._filled == len(new):
            return
        same = [row.key for row in old] == [row.key for row in new] and self._filled == len(old)
        self._rows = new
        self._silent = True
        try:
            if same:
                for number, (before, row) in enumerate(zip(old, new, strict=True)):
                    if before != row:
                        self._fill(number, row)
            else:
                self._filled = 0
                self._table.setRowCount(0)
                self._table.setRowCount(len(new))
        finally:
            self._silent = False
        self._table.visible = bool(new)
        self._table.setFixedHeight((min(len(new), _ROWS_SHOWN) + 1) * _ROW_HEIGHT + 8)
        if not same:
            self._fill_more()

    def _fill_more(self) -> None:
        last = min(self._filled + _AT_ONCE, len(self._rows))
        self._silent = True
        try:
            for number in range(self._filled, last):
                self._fill(number, self._rows[number])
        finally:
            self._silent = False
        self._filled = last
        if last < len(self._rows):
            rows = self._rows
            call_later(self._table, 0, lambda: self._fill_more() if self._rows is rows else None)

    def _fill(self, number: int, row) -> None:
        use = qt.QTableWidgetItem("")
        flags = qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled
        use.setFlags(flags | qt.Qt.ItemIsUserCheckable if row.changeable else flags)
        if row.changeable:
            use.setCheckState(qt.Qt.Checked if row.used else qt.Qt.Unchecked)
        problems = "; ".join(line.text for line in row.problems)
        texts = (row.person, row.holds, side_title(row.split), problems)
        for column, item in enumerate((use, *(qt.QTableWidgetItem(text) for text in texts))):
            if column == _PROBLEMS and row.problems:
                item.setForeground(qt.QBrush(qt.QColor(COLORS[_LEVELS.get(row.worst, "unknown")])))
            elif column != _USE and not row.used:
                item.setForeground(qt.QBrush(qt.QColor(COLORS["unknown"])))
            item.setToolTip("\n".join(line.text for line in row.problems) if column == _PROBLEMS else item.text())
            self._table.setItem(number, column, item)

    def _on_item_changed(self, item) -> None:
        if self._silent or item.column() != _USE or item.row() >= len(self._rows):
            return
        row = self._rows[item.row()]
        use = item.checkState() == qt.Qt.Checked
        if use == row.used:
            return
        chosen = self.chosen
        keys = [other.key for other in chosen if other.changeable] if row in chosen else [row.key]
        call_later(self._table, 0, lambda: self.use_changed(keys, use))  # not while Qt is busy with the click

    def refresh_ticks(self) -> None:
        """Put the ticks back to what the rows say, after a change that was refused."""
        self._silent = True
        try:
            for number, row in enumerate(self._rows[: self._filled]):
                if row.changeable:
                    self._table.item(number, _USE).setCheckState(qt.Qt.Checked if row.used else qt.Qt.Unchecked)
        finally:
            self._silent = False

    def _on_selection(self) -> None:
        if not self._silent:
            self.selected()
