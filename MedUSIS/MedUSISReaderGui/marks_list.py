"""The list of lesion marks beside the images: choose one, say what it is and how sure you are, take it back."""

from __future__ import annotations

from types import SimpleNamespace

import qt
from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from . import dark
from .question_fields import ChoiceField, SliderField

_ROW_HEIGHT = 30


class MarksList:
    """Shows the marks of ``ReadingMarks``; the chosen one has its details below.

    Parameters
    ----------
    ui : widgets of the room
    marks : MedUSISLib.mrml.reading_marks.ReadingMarks
    question : MedUSISLib.study.questions.Marks

    Attributes
    ----------
    changed : Signal
        The marks are others now, or another one is chosen.
    wanted : Signal
        With a place (RAS, mm) that is to be brought into sight.
    """

    def __init__(self, ui, marks, question) -> None:
        self._ui = ui
        self._marks = marks
        self.question = question
        self.changed = Signal()
        self.wanted = Signal()
        self.chosen: str | None = None
        self._silent = False
        self._seen: str | None = None
        ui.marksTitleLabel.text = question.text
        self._set_up_table(ui.marksTable)
        self._set_up_details()
        ui.marksTable.connect("itemSelectionChanged()", self._on_row_chosen)
        ui.markButton.connect("toggled(bool)", self._on_marking)
        ui.removeMarkButton.connect("clicked(bool)", self._on_remove)
        marks.changed.connect(self._on_marks_changed)

    def _set_up_table(self, table) -> None:
        table.setHorizontalHeaderLabels(["", _("What"), _("Sure")])
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        header.setSectionResizeMode(2, qt.QHeaderView.ResizeToContents)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.verticalHeader().hide()

    def _set_up_details(self) -> None:
        layout = self._ui.markDetailsFrame.layout()
        categories = self.question.categories
        asked = SimpleNamespace(text=_("What is it?"), required=True)
        self.category = ChoiceField(asked, categories, [name.replace("-", " ") for name in categories], 2)
        for button in self.category.buttons:
            button.setMinimumHeight(34)
            dark.set_size(button, dark.POINT_SIZE)
        self.confidence = SliderField(SimpleNamespace(text=_("How sure are you?"), required=True, low=0.0, high=100.0))
        self.size = qt.QDoubleSpinBox()
        self.size.setRange(0.0, 500.0)
        self.size.setSingleStep(0.5)
        self.size.setSuffix(" mm")
        self.size.setSpecialValueText(_("size not given"))
        self.size.visible = False
        for part in (self.category.widget, self.confidence.widget, self.size):
            layout.addWidget(part)
        self.category.widget.visible = bool(categories)
        self.size.visible = self.question.ask_size
        self.category.changed.connect(lambda: self._change(category=self.category.value))
        self.confidence.changed.connect(lambda: self._change(confidence=self.confidence.value))
        self.size.connect("valueChanged(double)", self._on_size)

    @property
    def value(self) -> list:
        """The marks as they are stored."""
        return self._marks.values()

    def missing_text(self) -> str:
        """What a mark still lacks, in words; empty when nothing."""
        for row in self._marks.rows():
            if self.question.categories and not row.category:
                return _("Mark {number}: what is it?").format(number=row.number)
            if row.confidence is None:
                return _("Mark {number}: how sure are you?").format(number=row.number)
        return ""

    def begin(self) -> None:
        """A trial has been opened with its marks."""
        self.chosen = self._seen = None
        self._on_marks_changed()

    def choose_next(self, step: int = 1) -> None:
        """Choose the next mark of the list and bring it into sight."""
        rows = self._marks.rows()
        if not rows:
            return
        keys = [row.key for row in rows]
        index = keys.index(self.chosen) + step if self.chosen in keys else 0
        self._choose(keys[index % len(keys)], look=True)

    def add(self, place) -> None:
        """Set a mark (RAS, mm) without the mouse."""
        self._marks.add(place)

    def remove(self) -> None:
        """Take the chosen mark back."""
        if self.chosen is not None:
            key, self.chosen = self.chosen, None
            self._marks.remove(key)

    def set_active(self, active: bool) -> None:
        """Whether the number keys go to the chosen mark."""
        self.category.set_active(active)
        self.confidence.set_active(active)

    def press(self, number: int) -> bool:
        """A number key chooses the category of the chosen mark."""
        return self.chosen is not None and bool(self.question.categories) and self.category.press(number)

    def nudge(self, steps: int) -> bool:
        """The arrows change the confidence of the chosen mark."""
        return self.chosen is not None and self.confidence.nudge(steps)

    def _on_marking(self, on: bool) -> None:
        dark.show_chosen(self._ui.markButton, on)
        self._marks.place_with_mouse(on)

    def _choose(self, key, look: bool = False) -> None:
        self.chosen = key
        self._show()
        row = self._marks.row(key)
        if look and row is not None:
            self.wanted(row.place_ras_mm)
        self.changed()

    def _change(self, **details) -> None:
        if not self._silent and self.chosen is not None:
            self._marks.change(self.chosen, **details)

    def _on_size(self, value: float) -> None:
        self._change(size_mm=value if value > 0 else None)

    def _on_remove(self, _checked: bool = False) -> None:
        self.remove()

    def _on_row_chosen(self) -> None:
        rows = self._marks.rows()
        index = self._ui.marksTable.currentRow()
        if not self._silent and 0 <= index < len(rows):
            self._choose(rows[index].key, look=True)

    def _on_marks_changed(self) -> None:
        if self._marks.newest is not None and self._marks.newest != self._seen:
            self._seen = self.chosen = self._marks.newest
        if self._marks.row(self.chosen) is None:
            self.chosen = None
        self._show()
        self.changed()

    def _show(self) -> None:
        self._silent = True
        try:
            rows = self._marks.rows()
            self._ui.marksTable.setRowCount(len(rows))
            for index, row in enumerate(rows):
                sure = "–" if row.confidence is None else f"{row.confidence:.0f}"
                for column, text in enumerate((str(row.number), row.category or "–", sure)):
                    self._ui.marksTable.setItem(index, column, qt.QTableWidgetItem(text))
            chosen = self._marks.row(self.chosen)
            if chosen is not None:
                self._ui.marksTable.selectRow(chosen.number - 1)
                self.category.set_value(chosen.category)
                self.confidence.set_value(chosen.confidence)
                self.size.setValue(chosen.size_mm or 0.0)
            else:
                self._ui.marksTable.clearSelection()
            self._ui.markDetailsFrame.visible = chosen is not None
            self._ui.removeMarkButton.enabled = chosen is not None
            self._marks.select(self.chosen)
        finally:
            self._silent = False
