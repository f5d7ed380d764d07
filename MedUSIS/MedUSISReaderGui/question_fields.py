"""One field for each kind of question: what it shows, what was answered, what a number key does.

Every field has ``question``, ``widget``, ``value`` (None as long as there is no answer), ``set_value``,
``press(number)``, ``nudge(steps)``, ``set_active(on)`` and the signal ``changed``.
"""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from . import dark

_BUTTON_HEIGHT = 50
_SLIDER_STEPS = 100
_NUDGE = 5


class Field:
    """What all fields share."""

    numbered = False
    sliding = False

    def __init__(self, question) -> None:
        self.question = question
        self.changed = Signal()
        self.widget = qt.QFrame()
        self._layout = qt.QVBoxLayout(self.widget)
        self._layout.setContentsMargins(0, 0, 0, 6)
        self._layout.setSpacing(6)
        self._title = qt.QLabel(question.text)
        self._title.wordWrap = True
        self._title.setTextFormat(qt.Qt.PlainText)
        self._layout.addWidget(self._title)
        dark.set_size(self._title, dark.POINT_SIZE)

    def press(self, _number: int) -> bool:
        """A number key; True when it means something here."""
        return False

    def nudge(self, _steps: int) -> bool:
        """The keys left and right; True when they mean something here."""
        return False

    def set_active(self, active: bool) -> None:
        """Whether the number keys go here."""
        dark.set_size(self._title, dark.POINT_SIZE, active)


class ChoiceField(Field):
    """Large buttons, one for each option."""

    numbered = True

    def __init__(self, question, options=None, labels=None, columns: int = 1) -> None:
        super().__init__(question)
        self._options = list(options if options is not None else question.options)
        self._labels = list(labels if labels is not None else question.labels or question.options)
        self._chosen = None
        grid = qt.QGridLayout()
        grid.setSpacing(6)
        self._layout.addLayout(grid)
        self.buttons = []
        for number, label in enumerate(self._labels, start=1):
            button = qt.QPushButton(label)
            button.checkable = True
            button.setMinimumHeight(_BUTTON_HEIGHT)
            button.toolTip = _("Key {number}").format(number=number)
            button.connect("clicked(bool)", self._choose(number - 1))
            dark.set_size(button, dark.POINT_SIZE + 2)
            grid.addWidget(button, (number - 1) // columns, (number - 1) % columns)
            self.buttons.append(button)
        self.set_active(True)

    @property
    def value(self):
        """The option's id."""
        return self._options[self._chosen] if self._chosen is not None else None

    def set_value(self, value) -> None:
        """Choose an option; None chooses none."""
        self._show(self._options.index(value) if value in self._options else None)

    def press(self, number: int) -> bool:
        if 1 <= number <= len(self._options):
            self._choose(number - 1)()
            return True
        return False

    def set_active(self, active: bool) -> None:
        super().set_active(active)
        for number, (button, label) in enumerate(zip(self.buttons, self._labels, strict=True), start=1):
            button.text = f"{number}    {label}" if active else label

    def _choose(self, index: int):
        def choose(_checked: bool = False) -> None:
            self._show(index)
            self.changed()

        return choose

    def _show(self, index) -> None:
        self._chosen = index
        for number, button in enumerate(self.buttons):
            dark.show_chosen(button, number == index)


class ScaleField(ChoiceField):
    """Points of an ordinal scale, side by side."""

    def __init__(self, question) -> None:
        points = list(range(1, question.points + 1))
        super().__init__(question, points, [str(point) for point in points], len(points))
        if question.lowest or question.highest:
            ends = qt.QHBoxLayout()
            ends.addWidget(qt.QLabel(f"1: {question.lowest}"))
            ends.addStretch(1)
            ends.addWidget(qt.QLabel(f"{question.points}: {question.highest}"))
            self._layout.addLayout(ends)

    def set_active(self, active: bool) -> None:
        dark.set_size(self._title, dark.POINT_SIZE, active)


class SliderField(Field):
    """A slider that says nothing until the reader has moved it."""

    sliding = True

    def __init__(self, question) -> None:
        super().__init__(question)
        self._touched = False
        self._silent = False
        self.slider = qt.QSlider(qt.Qt.Horizontal)
        self.slider.setRange(0, _SLIDER_STEPS)
        self.slider.setPageStep(10)
        self.slider.setMinimumHeight(34)
        self.slider.toolTip = _("Drag it, click into it, or press the arrows left and right.")
        self.slider.connect("valueChanged(int)", self._on_moved)
        self.slider.connect("sliderReleased()", self._on_moved)
        self._number = qt.QLabel()
        self._number.setMinimumWidth(64)
        self._number.setAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        row = qt.QHBoxLayout()
        row.addWidget(self.slider)
        row.addWidget(self._number)
        self._layout.addLayout(row)
        self.set_value(None)

    @property
    def value(self):
        """A number between ``low`` and ``high`` of the question."""
        if not self._touched:
            return None
        low, high = self._limits()
        return low + (high - low) * self.slider.value / _SLIDER_STEPS

    def set_value(self, value) -> None:
        """Move the slider; None is the middle, and no answer."""
        low, high = self._limits()
        self._silent = True
        self.slider.setValue(round(_SLIDER_STEPS * ((value - low) / (high - low) if value is not None else 0.5)))
        self._silent = False
        self._touched = value is not None
        self._show()

    def nudge(self, steps: int) -> bool:
        self.slider.setValue(self.slider.value + _NUDGE * steps)
        self._on_moved()
        return True

    def _limits(self) -> tuple[float, float]:
        return getattr(self.question, "low", 0.0), getattr(self.question, "high", 100.0)

    def _on_moved(self, _value: int = 0) -> None:
        if not self._silent:
            self._touched = True
            self._show()
            self.changed()

    def _show(self) -> None:
        value = self.value
        self._number.text = "–" if value is None else f"{value:.0f}"
        dark.set_size(self._number, dark.POINT_SIZE + 2, True)


class NumberField(Field):
    """A number that is typed."""

    def __init__(self, question) -> None:
        super().__init__(question)
        self.edit = qt.QLineEdit()
        self.edit.setMaximumWidth(160)
        dark.set_size(self.edit, dark.POINT_SIZE)
        self.edit.connect("textChanged(QString)", lambda _text: self.changed())
        self._layout.addWidget(self.edit)

    @property
    def value(self):
        """The number; the text itself where it is none, so that the answer is refused with a sentence."""
        text = self.edit.text.strip().replace(",", ".")
        if not text:
            return None
        try:
            return float(text)
        except ValueError:
            return text

    def set_value(self, value) -> None:
        """Show a number; None clears it."""
        self.edit.text = "" if value is None else f"{value:g}"


class TextField(Field):
    """Free text: a line where an answer is required, otherwise some lines."""

    def __init__(self, question) -> None:
        super().__init__(question)
        self._is_line = question.required
        self.edit = qt.QLineEdit() if self._is_line else qt.QPlainTextEdit()
        dark.set_size(self.edit, dark.POINT_SIZE)
        if not self._is_line:
            self.edit.setMaximumHeight(90)
            self.edit.setTabChangesFocus(True)
        self.edit.connect("textChanged(QString)" if self._is_line else "textChanged()", self._on_changed)
        self._layout.addWidget(self.edit)

    @property
    def value(self):
        """The text, None when there is none."""
        text = self.edit.text if self._is_line else self.edit.plainText
        return text.strip() or None

    def set_value(self, value) -> None:
        """Show a text; None clears it."""
        if self._is_line:
            self.edit.text = value or ""
        else:
            self.edit.setPlainText(value or "")

    def _on_changed(self, _text: str = "") -> None:
        self.changed()


def field_for(question, columns: int = 1):
    """The field of a question, options in so many columns; None for marks, which have a list of their own."""
    fields = {
        "choice": lambda question: ChoiceField(question, columns=columns),
        "confidence": SliderField,
        "scale": ScaleField,
        "number": NumberField,
        "text": TextField,
    }
    return fields[question.kind](question) if question.kind in fields else None


def missing_text(fields) -> str:
    """Which required answer is missing, in words; empty when none is."""
    for field in fields:
        if field.question.required and field.value is None:
            return _("Still to be answered: {question}").format(question=field.question.text)
    return ""
