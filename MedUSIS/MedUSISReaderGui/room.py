"""The reading room: it shows the step that the reading is at, and tells the reading what the reader did."""

from __future__ import annotations

import logging
from pathlib import Path

import slicer
from MedUSISGui.call_later import call_later
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml import reading_layout, reading_views
from MedUSISLib.mrml.reading_flow import ReadingFlow, Step
from MedUSISLib.mrml.reading_images import TrialImages
from MedUSISLib.mrml.reading_marks import ReadingMarks, show_answer_points
from MedUSISLib.mrml.reading_windows import TrialWindows
from MedUSISLib.signal import Signal

from . import room_texts
from .message_page import MessagePage, error_text
from .room_window import RoomWindow
from .trial_page import TrialPage
from .view_tools import ViewTools

_logger = logging.getLogger(__name__)

ROOM_FILE = Path(__file__).resolve().parents[1] / "Resources" / "UI" / "MedUSISReaderRoom.ui"
_AHEAD_MS = 60


class Room:
    """One reading on the screen, from ``open`` to ``closed``.

    Parameters
    ----------
    opened : MedUSISLib.mrml.reading_start.OpenedReading
        It is closed with the room.
    answers : str
        Where the answers are, for the last page.

    Attributes
    ----------
    closed : Signal
        Without arguments: the screen is as it was before.
    """

    def __init__(self, opened, answers: str = "") -> None:
        self.closed = Signal()
        self._opened = opened
        self._answers = answers
        self._scene = slicer.mrmlScene
        self.flow = ReadingFlow(opened.session)
        self._package = opened.package
        self.widget = slicer.util.loadUI(str(ROOM_FILE))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.window = RoomWindow(self.widget)
        self._images = TrialImages(self._scene, opened.folder)
        self._windows = TrialWindows(self._package.display.windows)
        self._marks = ReadingMarks(self._scene, self._package.display.change_window)
        self._views: list = []
        self._answer_points = None
        self._state = None
        tools = ViewTools(self.ui, self._package.display, self._windows)
        self._tools = tools
        self.message = MessagePage(self.ui)
        self.trial = TrialPage(self.ui, self._package, self._marks, tools)
        self._connect()

    def _connect(self) -> None:
        self.message.continued.connect(self._on_continued)
        self.message.left.connect(self.leave)
        self.trial.confirmed.connect(self._on_confirmed)
        self.trial.next_asked.connect(self._on_next)
        self.trial.pause_asked.connect(self._on_pause)
        self.trial.back_asked.connect(self._on_back)
        self.trial.forth_asked.connect(self._on_forth)

    @property
    def is_open(self) -> bool:
        """Whether it has the screen."""
        return self.window.is_open

    def open(self) -> None:
        """Take the screen and show the introduction.

        Raises
        ------
        MedUSISError
            BAD_SETTING where there is no window.
        """
        self._state = reading_layout.remember(self._scene)
        self.window.open()
        self._show()

    def leave(self) -> None:
        """Close the room; what was confirmed is stored."""
        if self.is_open:
            self.flow.leave()
            self.close()

    def close(self) -> None:
        """Give everything back; again does nothing."""
        if not self.is_open:
            return
        self._clear_trial()
        self._images.close()
        reading_layout.restore(self._scene, self._state)
        self._end()

    def scene_closed(self) -> None:
        """Somebody closed the scene: the images are gone, the answers are not."""
        if self.is_open:
            self.flow.leave()
            self._tools.clear()
            self._windows.forget()
            self._marks.forget()
            self._images.forget()
            self._answer_points = None
            self._end()

    def _end(self) -> None:
        self.window.close()
        self._opened.close()
        self.widget.deleteLater()
        self.closed()

    # What is on the screen

    def _show(self) -> None:
        step = self.flow.step
        if step is Step.TRIAL:
            self._show_trial()
            return
        if step is Step.FEEDBACK:
            self._show_feedback()
            return
        if step is not Step.PAUSED:
            self._clear_trial()
        self.window.show_page_only()
        page = room_texts.page_of(step, self.flow, self._package, self._answers)
        self.message.show(page.title, page.text, page.way_on, page.leave, page.questions)
        self._load_ahead()

    def _show_trial(self) -> None:
        try:
            self._show_images()
        except Exception as error:  # whatever it is: a reader must not look at the images of the trial before
            from MedUSISLib.jobs.failures import named_error

            _logger.exception("a trial could not be shown")
            self._clear_trial()
            self.window.show_page_only()
            self.message.show(_("The images cannot be shown"), error_text(named_error(error)), "", _("Leave"))
            return
        values = self.flow.begin_with()
        question = self.trial.marks.question.id if self.trial.marks is not None else None
        if question is not None:
            self._marks.open(values.get(question, ()))
        position = self.flow.position()
        self.trial.open(
            room_texts.position_text(position),
            room_texts.stage_text(position, self.flow.can_go_forth()),
            values,
            self.flow.can_go_back(),
            self.flow.can_go_forth(),
        )
        self._let_mouse_mark()
        self.window.show_views()
        reading_views.fit(self._views)
        self.flow.shown()
        self._load_ahead()

    def _show_images(self) -> None:
        now = self.flow.now()
        panels = now.stage.panels
        volumes = [self._images.node(panel.image) for panel in panels]
        self._remove_answer_points()
        views = reading_layout.show_views(self._scene, len(panels))
        display = self._package.display
        self._windows.show([(panel.place, volume) for panel, volume in zip(panels, volumes, strict=True)])
        reading_views.show_volumes(views, volumes, display.plane)
        titles = room_texts.place_titles([panel.place for panel in panels])
        for view, title in zip(views, titles, strict=True):
            reading_views.allow(view, display)
            reading_views.show_title(view, title)
        reading_views.show_crosshair(self._scene, display.crosshair)
        self._views = views
        self._tools.show(views, volumes[0])

    def _let_mouse_mark(self) -> None:
        """Clicks set marks where marks are asked for; otherwise they change the contrast."""
        reading_views.mouse_changes_contrast(self._scene, self._package.display.change_window)
        button = self.ui.markButton
        if self.trial.marks is not None:
            button.checked = False
            button.checked = True

    def _show_feedback(self) -> None:
        self._marks.place_with_mouse(False)
        feedback = self.flow.feedback
        self.trial.show_feedback(room_texts.feedback_text(feedback, self._package, self.flow.feedback_to))
        if feedback.lesions_lps_mm:
            self._answer_points = show_answer_points(self._scene, feedback.lesions_lps_mm)
            x, y, z = feedback.lesions_lps_mm[0]
            self._tools.look_at((-x, -y, z))

    def _clear_trial(self) -> None:
        self._remove_answer_points()
        self._tools.clear()
        self._windows.clear()
        self._marks.close()
        reading_views.clear(self._views)
        self._views = []

    def _remove_answer_points(self) -> None:
        if self._answer_points is not None:
            self._scene.RemoveNode(self._answer_points)
            self._answer_points = None

    def _load_ahead(self) -> None:
        """Load the next trial's images while the reader looks at this one, one image at a time."""
        call_later(self.widget, _AHEAD_MS, self._load_one)

    def _load_one(self) -> None:
        if not self.is_open:
            return
        now = self.flow.now()
        ahead = self.flow.ahead()
        shown = tuple(panel.image for panel in now.stage.panels) if now is not None else ()
        self._images.keep_only((*shown, *ahead))
        lacking = [image for image in ahead if image not in self._images.loaded()]
        if lacking:
            try:
                self._images.node(lacking[0])
            except MedUSISError as error:
                _logger.warning("an image was not loaded ahead: %s", error.message)  # it is said when its turn comes
                return
            self._load_ahead()

    # What the reader does

    def _on_continued(self, values) -> None:
        step = self.flow.step
        try:
            if step is Step.PROFILE:
                self.flow.fill_profile(values)
            elif step is Step.CLOSING:
                self.flow.fill_closing(values)
            elif step is Step.PAUSED:
                self._resume()
                return
            elif step is Step.FINISHED:
                self.leave()
                return
            else:
                self.flow.proceed()
        except MedUSISError as error:
            self.message.say(room_texts.not_stored(error))
            return
        self._show()

    def _resume(self) -> None:
        self.flow.resume()
        self.trial.show_again()
        self.window.show_views()
        if self.flow.step is Step.TRIAL:
            self.flow.shown()

    def _on_confirmed(self, values) -> None:
        if self.flow.step is not Step.TRIAL:
            return
        try:
            self.flow.answer(values)
        except MedUSISError as error:
            self.trial.say(room_texts.not_stored(error))
            return
        self.trial.say("")
        self._show()

    def _on_next(self) -> None:
        self.flow.proceed()
        self._show()

    def _on_pause(self) -> None:
        self.flow.pause()
        self._show()

    def _on_back(self) -> None:
        if self.flow.can_go_back():
            self.flow.go_back()
            self._show()

    def _on_forth(self) -> None:
        if self.flow.can_go_forth():
            self.flow.go_forth()
            self._show()
