"""The table segment -> class, with a combo box in each row."""

from __future__ import annotations

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox

_UNKNOWN = "#c62828"
_GUESSED = "#b26a00"
_ROWS_SHOWN = 7
_ROW_HEIGHT = 24


class MappingTable:
    """Shows rows (``SegmentRow``) and lets the user choose another class.

    Parameters
    ----------
    table : QTableWidget
        With two columns: segment and class.

    Attributes
    ----------
    class_chosen : Signal
        With the key of the segment and the name of the class.
    """

    def __init__(self, table) -> None:
        self._table = table
        self.class_chosen = Signal()
        self._combos: list[ValueComboBox] = []
        self._shown: tuple | None = None
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        header.setFixedHeight(_ROW_HEIGHT)
        rows = table.verticalHeader()
        rows.setSectionResizeMode(qt.QHeaderView.Fixed)
        rows.setDefaultSectionSize(_ROW_HEIGHT)
        self.clear()

    @property
    def combos(self) -> list[ValueComboBox]:
        """One for each row."""
        return list(self._combos)

    def clear(self) -> None:
        """Show no rows, and take no place."""
        self._combos = []
        self._shown = None
        self._table.setRowCount(0)
        self._table.visible = False

    def show(self, rows: Sequence, classes: Sequence[tuple[str, str]]) -> None:
        """Show rows; the same rows again change nothing, so that an open combo box stays open.

        Parameters
        ----------
        rows : sequence of SegmentRow
        classes : sequence of (name, title)
            Of the generator's schema, the background included.
        """
        shown = (tuple(rows), tuple(classes))
        if shown == self._shown:
            return
        if not rows:
            self.clear()
            return
        self._shown = shown
        self._combos = []
        self._table.setRowCount(len(rows))
        names = [name for name, _title in classes]
        unknown = None
        for number, row in enumerate(rows):
            known = row.class_name in names
            if not known and unknown is None:
                unknown = number
            self._table.setItem(number, 0, _segment_item(row, known))
            self._table.setCellWidget(number, 1, self._class_combo(row, classes, known))
        self._table.setFixedHeight((min(len(rows), _ROWS_SHOWN) + 1) * _ROW_HEIGHT + 4)
        self._table.visible = True
        if unknown is not None:
            self._table.scrollToItem(self._table.item(unknown, 0))

    def _class_combo(self, row, classes, known: bool):
        widget = qt.QComboBox()
        widget.toolTip = _("The class of the generator that this segment becomes.")
        widget.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        combo = ValueComboBox(widget)
        entries = list(classes)
        if not known:
            entries.insert(0, ("", _("- choose a class -")))
        combo.fill(entries, row.class_name if known else "")
        combo.chosen.connect(lambda name, key=row.key: self.class_chosen(key, name))
        self._combos.append(combo)
        return widget


def _segment_text(row, known: bool) -> str:
    if not known:
        return _("No class: {name}").format(name=row.name)
    return _("Guessed: {name}").format(name=row.name) if row.known_by == "values" else row.name


def _segment_item(row, known: bool):
    pixels = qt.QPixmap(14, 14)
    pixels.fill(qt.QColor(*(round(255 * channel) for channel in row.color)))
    item = qt.QTableWidgetItem(_segment_text(row, known))
    item.setIcon(qt.QIcon(pixels))
    item.setToolTip(row.name)
    if not known:
        item.setForeground(qt.QBrush(qt.QColor(_UNKNOWN)))
    elif row.known_by == "values":
        item.setForeground(qt.QBrush(qt.QColor(_GUESSED)))
    return item
