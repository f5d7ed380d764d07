"""The table of cases of a batch: one row each, live, with a choice of which ones are shown."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.mrml.batch_view import FILTERS
from MedUSISLib.signal import Signal

from .call_later import call_later
from .combo_box import ValueComboBox
from .rich_text import COLORS

_ROW_HEIGHT = 22
_ROWS_SHOWN = 10
_AT_ONCE = 100
_CASE, _STATE, _TIME, _LOOK, _MESSAGE = range(5)
_LEVELS = {"done": "ok", "failed": "worry", "skipped": "look", "waiting": "unknown"}


class BatchTable:
    """Shows lines (``CaseLine``): the first time in steps, later only those that have changed.

    Parameters
    ----------
    table : QTableWidget
        With five columns.
    combo : QComboBox
        Which cases are shown.

    Attributes
    ----------
    selected : Signal
        Without arguments: another row is chosen.
    """

    def __init__(self, table, combo) -> None:
        self._table = table
        self._lines: tuple = ()
        self._filled = 0
        self._drawn = 0
        self._chosen = 0
        self._silent = False
        self.selected = Signal()
        self._filter = ValueComboBox(combo)
        self._filter.chosen.connect(lambda _value: self._apply_filter())
        header = table.horizontalHeader()
        for column in (_CASE, _STATE, _TIME, _LOOK):  # fitting the contents would measure every row, every second
            header.setSectionResizeMode(column, qt.QHeaderView.Interactive)
        header.setSectionResizeMode(_MESSAGE, qt.QHeaderView.Stretch)
        for column, width in ((_CASE, 48), (_STATE, 84), (_TIME, 62), (_LOOK, 42)):
            header.resizeSection(column, width)
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.Fixed)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        table.connect("itemSelectionChanged()", self._on_selection)
        self._fill_filter(None)

    @property
    def chosen(self):
        """The line of the chosen row, None without one."""
        return next((line for line in self._lines if line.number == self._chosen), None)

    @property
    def drawn(self) -> int:
        """How many rows were written so far; a measure for tests."""
        return self._drawn

    def clear(self) -> None:
        """Another batch comes."""
        self._lines, self._filled, self._chosen = (), 0, 0
        self._silent = True
        self._table.setRowCount(0)
        self._silent = False
        self._filter.select("all")

    def show(self, look) -> None:
        """Show what was seen (``BatchSeen``)."""
        before, self._lines = self._lines, look.lines
        if len(before) != len(self._lines):
            self._filled = 0
            self._silent = True
            self._table.setRowCount(len(self._lines))
            self._silent = False
            self._table.setFixedHeight((min(len(self._lines), _ROWS_SHOWN) + 1) * _ROW_HEIGHT + 8)
            self._fill_more()
        else:
            for place in sorted(look.changed):
                if place < self._filled:
                    self._draw(place)
        self._fill_filter(look.counts)

    def choose(self, number: int) -> None:
        """Choose the row of this case."""
        place = next((place for place, line in enumerate(self._lines) if line.number == number), None)
        if place is not None:
            self._table.selectRow(place)

    def _fill_more(self) -> None:
        last = min(self._filled + _AT_ONCE, len(self._lines))
        for place in range(self._filled, last):
            self._draw(place)
        self._filled = last
        if last < len(self._lines):
            lines = len(self._lines)
            call_later(self._table, 0, lambda: self._fill_more() if len(self._lines) == lines else None)

    def _draw(self, place: int) -> None:
        line = self._lines[place]
        self._drawn += 1
        texts = (str(line.number), line.title, _time(line.seconds), _("look") if line.review else "", line.message)
        self._silent = True
        try:
            for column, text in enumerate(texts):
                item = self._table.item(place, column)
                if item is None:
                    item = qt.QTableWidgetItem(text)
                    self._table.setItem(place, column, item)
                elif item.text() != text:
                    item.setText(text)
                else:
                    continue
                if column == _STATE:
                    item.setForeground(qt.QBrush(qt.QColor(COLORS[_LEVELS.get(line.state, "unknown")])))
                elif column == _LOOK:
                    item.setForeground(qt.QBrush(qt.QColor(COLORS["look"])))
                if column in (_CASE, _MESSAGE):
                    item.setToolTip(line.key if column == _CASE else text)
        finally:
            self._silent = False
        self._table.setRowHidden(place, not line.belongs_to(self._filter.value or "all"))

    def _apply_filter(self) -> None:
        kept = self._filter.value or "all"
        for place, line in enumerate(self._lines):
            self._table.setRowHidden(place, not line.belongs_to(kept))

    def _fill_filter(self, counts) -> None:
        numbers = {}
        if counts is not None:
            numbers = {
                "all": counts.total,
                "review": counts.review,
                "failed": counts.failed + counts.skipped,
                "open": counts.open,
                "done": counts.done,
            }
        entries = [(name, f"{title} ({numbers.get(name, 0)})") for name, title in FILTERS.items()]
        self._filter.fill(entries, self._filter.value or "all")

    def _on_selection(self) -> None:
        if self._silent:
            return
        rows = [index.row() for index in self._table.selectionModel().selectedRows()]
        self._chosen = self._lines[rows[0]].number if rows and rows[0] < len(self._lines) else 0
        self.selected()


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02d} h"
