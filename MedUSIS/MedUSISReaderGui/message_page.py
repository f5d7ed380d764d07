"""A page of the room with a title, a text, perhaps a form, and one way on: no image is on the screen meanwhile."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from . import dark
from .keys import Keys
from .question_fields import field_for, missing_text


class MessagePage:
    """Introduction, profile, breaks, pause, closing form and the end.

    Parameters
    ----------
    ui : widgets of Resources/UI/MedUSISReaderRoom.ui

    Attributes
    ----------
    continued : Signal
        With the answers of the form, ``{}`` without one. Only when all required ones are there.
    left : Signal
        The reader wants to leave the room.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self.continued = Signal()
        self.left = Signal()
        self.fields: list = []
        ui.formContents.layout().addStretch(1)
        dark.set_size(ui.messageTitleLabel, 26, True)
        dark.set_size(ui.messageTextLabel, 15)
        dark.color(ui.messageErrorLabel, "WindowText", dark.WORRY)
        dark.set_size(ui.messageErrorLabel, 14, True)
        for button in (ui.leaveButton, ui.continueButton):
            button.setMinimumHeight(56)
            button.setMinimumWidth(180)
            dark.set_size(button, 15)
        ui.continueButton.connect("clicked(bool)", self._on_continue)
        ui.leaveButton.connect("clicked(bool)", self._on_leave)
        self._keys = Keys(ui.messagePage, {key: self._on_continue for key in ("Return", "Enter", "Ctrl+Return")})

    def show(self, title: str, text: str, way_on: str = "", leave: str = "", questions=()) -> None:
        """Show a page.

        Parameters
        ----------
        title, text : str
        way_on, leave : str
            Texts of the two buttons; a button without a text is hidden.
        questions : sequence of Question
            The form.
        """
        ui = self._ui
        ui.messageTitleLabel.text = title
        ui.messageTextLabel.text = text
        ui.messageTextLabel.visible = bool(text)
        self.say("")
        for button, words in ((ui.continueButton, way_on), (ui.leaveButton, leave)):
            button.text = words
            button.visible = bool(words)
        self._fill(questions)
        ui.roomStack.setCurrentWidget(ui.messagePage)
        first = self.fields[0].widget if self.fields else ui.continueButton
        (getattr(self.fields[0], "edit", first) if self.fields else first).setFocus()

    def say(self, problem: str) -> None:
        """What stands in the way; empty hides it."""
        self._ui.messageErrorLabel.text = problem
        self._ui.messageErrorLabel.visible = bool(problem)

    def _fill(self, questions) -> None:
        layout = self._ui.formContents.layout()
        for field in self.fields:
            layout.removeWidget(field.widget)
            field.widget.hide()
            field.widget.deleteLater()
        self.fields = [field for field in map(field_for, questions) if field is not None]
        for place, field in enumerate(self.fields):
            layout.insertWidget(place, field.widget)  # above the stretch
        self._ui.formScrollArea.visible = bool(self.fields)
        page = self._ui.messageFrame.layout()
        page.setStretch(page.indexOf(self._ui.formScrollArea), 20 if self.fields else 0)

    def _on_continue(self, _checked: bool = False) -> None:
        if self._ui.continueButton.isHidden():
            return
        problem = missing_text(self.fields)
        if problem:
            self.say(problem)
            return
        self.continued({field.question.id: field.value for field in self.fields if field.value is not None})

    def _on_leave(self, _checked: bool = False) -> None:
        self.left()


def error_text(error) -> str:
    """An error in one or two sentences, without a place: file names are nothing for a reader's screen."""
    parts = [error.message, error.hint]
    sentences = [part[:1].upper() + part[1:] + ("" if part[-1] in ".!?" else ".") for part in parts if part]
    return " ".join(sentences) or _("Something went wrong.")
