"""The page beside the images: where the reading is, questions, marks, confirmation, and the keys to all of it."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from . import dark
from .keys import Keys
from .marks_list import MarksList
from .question_fields import field_for, missing_text

_NUMBERS = range(1, 10)


class TrialPage:
    """Questions of the package, the same for every trial; ``open`` empties or fills them.

    One part at a time is active: number keys go there (a choice, a scale, or the chosen mark).

    Parameters
    ----------
    ui : widgets of the room
    package : MedUSISLib.study.package.Package
    marks : ReadingMarks
    tools : ViewTools

    Attributes
    ----------
    confirmed : Signal
        With the answers, complete.
    pause_asked, back_asked, forth_asked, next_asked : Signal
        ``next_asked`` is the confirmation while feedback is shown.
    """

    def __init__(self, ui, package, marks, tools) -> None:
        self._ui = ui
        self._tools = tools
        self.confirmed, self.pause_asked, self.next_asked = Signal(), Signal(), Signal()
        self.back_asked, self.forth_asked = Signal(), Signal()
        self._feedback = False
        self._active = 0
        asked = next((question for question in package.questions if question.kind == "marks"), None)
        self.marks = MarksList(ui, marks, asked) if asked is not None else None
        columns = 1 if asked is None else 2  # marks need the room
        fields = [field_for(question, columns) for question in package.questions]
        self.fields = [field for field in fields if field is not None]
        for field in self.fields:
            ui.questionsFrame.layout().addWidget(field.widget)
            field.changed.connect(lambda field=field: self._on_answered(field))
        ui.marksFrame.visible = self.marks is not None
        if self.marks is not None:
            self.marks.changed.connect(self._on_marks_changed)
            self.marks.wanted.connect(tools.look_at)
        self._dress()
        ui.confirmButton.connect("clicked(bool)", self._on_confirm)
        ui.pauseButton.connect("clicked(bool)", lambda _on=False: self.pause_asked())
        ui.backButton.connect("clicked(bool)", lambda _on=False: self.back_asked())
        ui.forthButton.connect("clicked(bool)", lambda _on=False: self.forth_asked())
        self.keys = Keys(ui.trialPage, self._actions())

    def _dress(self) -> None:
        ui = self._ui
        dark.set_size(ui.positionLabel, 18, True)
        dark.set_size(ui.confirmButton, 17, True)
        for label in (ui.stageLabel, ui.feedbackLabel, ui.marksTitleLabel, ui.missingLabel):
            dark.set_size(label, dark.POINT_SIZE)
        dark.set_size(ui.answerErrorLabel, dark.POINT_SIZE, True)
        dark.color(ui.answerErrorLabel, "WindowText", dark.WORRY)
        dark.set_size(ui.keysLabel, 10)
        words = [_("Numbers: answer"), _("left, right: how sure")]
        if len(self._targets()) > 1:
            words.append(_("Q: next question"))
        if self.marks is not None:
            words.append(_("N: next mark, P: mark at the crosshair"))
        words.append(_("up, down, space, wheel: slices, W: contrast, R: whole image"))
        ui.keysLabel.text = ", ".join(words) + "."

    def _actions(self) -> dict:
        actions = {str(number): (lambda number=number: self._press(number)) for number in _NUMBERS}
        actions.update(self._tools.keys)
        actions.update({"Return": self._on_confirm, "Enter": self._on_confirm, "Esc": self.pause_asked})
        actions.update({"Left": lambda: self._nudge(-1), "Right": lambda: self._nudge(1), "Q": self._next_target})
        actions.update({"B": self.back_asked, "F": self.forth_asked})
        if self.marks is not None:
            actions.update(
                {
                    "M": self._ui.markButton.toggle,
                    "N": self._next_mark,
                    "Del": self.marks.remove,
                    "P": self._mark_here,
                }
            )
        return actions

    def open(self, position: str, stage: str, values, can_go_back: bool, can_go_forth: bool) -> None:
        """A trial has come to the screen.

        Parameters
        ----------
        position : str
            "12 of 60".
        stage : str
            What is special about it; "" hides the line.
        values : mapping
            Answers that it opens with.
        can_go_back, can_go_forth : bool
        """
        ui = self._ui
        self._feedback = False
        ui.positionLabel.text = position
        for label, text in ((ui.stageLabel, stage), (ui.feedbackLabel, "")):
            label.text = text
            label.visible = bool(text)
        self.say("")
        for field in self.fields:
            field.set_value(values.get(field.question.id))
        self._lock(False)
        ui.backButton.visible, ui.forthButton.visible = can_go_back, can_go_forth
        ui.confirmButton.text = _("Confirm  [Enter]")
        self._activate(0)
        if self.marks is not None:
            self.marks.begin()
        self.refresh()
        ui.roomStack.setCurrentWidget(ui.trialPage)
        ui.confirmButton.setFocus()

    def show_feedback(self, text: str) -> None:
        """Say what is right; the answer stands."""
        self._feedback = True
        self._lock(True)
        self._ui.feedbackLabel.text = text
        self._ui.feedbackLabel.visible = True
        self._ui.confirmButton.text = _("Next  [Enter]")
        self._ui.confirmButton.enabled = True
        self._ui.missingLabel.text = ""
        self._ui.roomStack.setCurrentWidget(self._ui.trialPage)

    def say(self, problem: str) -> None:
        """Why the answer was not stored; empty hides it."""
        self._ui.answerErrorLabel.text = problem
        self._ui.answerErrorLabel.visible = bool(problem)

    def show_again(self) -> None:
        """After a pause: everything as it was."""
        self._ui.roomStack.setCurrentWidget(self._ui.trialPage)
        self._ui.confirmButton.setFocus()

    @property
    def values(self) -> dict:
        """The answers, those that are there."""
        values = {field.question.id: field.value for field in self.fields if field.value is not None}
        if self.marks is not None:
            values[self.marks.question.id] = self.marks.value
        return values

    def refresh(self) -> None:
        """Whether the trial can be closed, and if not, why."""
        if self._feedback:
            return
        problem = missing_text(self.fields) or (self.marks.missing_text() if self.marks is not None else "")
        self._ui.missingLabel.text = problem
        self._ui.confirmButton.enabled = not problem

    def _lock(self, locked: bool) -> None:
        self._ui.questionsFrame.enabled = not locked
        self._ui.marksFrame.enabled = not locked

    # Number keys

    def _targets(self) -> list:
        parts = [field for field in self.fields if field.numbered]
        return [*parts, self.marks] if self.marks is not None else parts

    def _activate(self, index: int) -> None:
        targets = self._targets()
        self._active = index % len(targets) if targets else 0
        for number, part in enumerate(targets):
            part.set_active(number == self._active)

    def _next_target(self) -> None:
        self._activate(self._active + 1)

    def _press(self, number: int) -> None:
        targets = self._targets()
        if targets and not self._feedback:
            targets[self._active].press(number)

    def _nudge(self, steps: int) -> None:
        targets = self._targets()
        if self._feedback or (targets and targets[self._active] is self.marks and self.marks.nudge(steps)):
            return
        for field in self.fields:
            if field.sliding:
                field.nudge(steps)
                return

    def _on_answered(self, field) -> None:
        targets = self._targets()
        if field in targets:
            later = [n for n, part in enumerate(targets) if n > targets.index(field) and part is not self.marks]
            unanswered = [n for n in later if targets[n].value is None]
            self._activate(unanswered[0] if unanswered else targets.index(field))
        self.refresh()

    def _on_marks_changed(self) -> None:
        if self.marks.chosen is not None:
            self._activate(len(self._targets()) - 1)
        elif self._targets()[self._active] is self.marks:
            self._activate(0)
        self.refresh()

    def _next_mark(self) -> None:
        self.marks.choose_next()

    def _mark_here(self) -> None:
        place = self._tools.crosshair()
        if not self._feedback and place is not None:
            self.marks.add(place)

    def _on_confirm(self, _checked: bool = False) -> None:
        if self._feedback:
            self.next_asked()
        elif self._ui.confirmButton.enabled:
            self.confirmed(self.values)
