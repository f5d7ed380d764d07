"""Opening a reading: package, name, where the answers go, and the button."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.signal import Signal


class StartSection:
    """The form that a reader meets before the room.

    Parameters
    ----------
    ui : widgets of the panel
    open_reading : callable
        ``open_reading(package, reader, answers) -> OpenedReading``.
    dialogs : Dialogs

    Attributes
    ----------
    failed : Signal
        With the error that says why the room was not opened.
    changed : Signal
        The room was opened or closed.
    """

    def __init__(self, ui, open_reading, dialogs) -> None:
        self._ui = ui
        self._open_reading = open_reading
        self._dialogs = dialogs
        self.failed, self.changed = Signal(), Signal()
        self.room = None
        self._packages = False
        ui.readButton.connect("clicked(bool)", self._on_read)
        ui.packageButton.connect("clicked(bool)", self._on_choose_package)
        ui.answersButton.connect("clicked(bool)", self._on_choose_answers)
        for edit in (ui.packageEdit, ui.readerEdit):
            edit.connect("textChanged(QString)", self._on_typed)

    def refresh(self, packages: bool) -> None:
        """Show what can be done; ``packages``: what reading needs is installed."""
        self._packages = packages
        ui = self._ui
        if not packages:
            said = _("The packages named above are needed first.")
        elif not ui.packageEdit.text.strip():
            said = _("Choose the package that you were given.")
        elif not ui.readerEdit.text.strip():
            said = _("Type the name that you were given.")
        else:
            said = _("The reading room fills the screen. It goes on where you left it.")
        ui.readLabel.text = said
        ready = packages and bool(ui.packageEdit.text.strip() and ui.readerEdit.text.strip())
        ui.readButton.enabled = ready and self.room is None

    def read(self, package: str, reader: str, answers: str = "") -> bool:
        """Fill the form and open the room; False when that failed."""
        self._ui.packageEdit.text, self._ui.readerEdit.text, self._ui.answersEdit.text = package, reader, answers
        return self._open()

    def open_room(self, opened, answers: str) -> bool:
        """Show a reading that is open; it belongs to the room from now on."""
        from .room import Room

        room = Room(opened, answers)
        room.closed.connect(self._on_room_closed)
        self.room = room
        try:
            room.open()
        except MedUSISError as error:
            self.room = None
            opened.close()
            self.failed(error)
            return False
        self.changed()
        return True

    def close(self) -> None:
        """Leave the reading, if there is one."""
        if self.room is not None:
            self.room.leave()

    def scene_closing(self) -> None:
        """The scene is about to be closed."""
        if self.room is not None:
            self.room.scene_closed()
            self.failed(
                MedUSISError(
                    ErrorCode.CANCELLED,
                    _("the scene was closed, and the reading with it"),
                    _("open it again: every confirmed answer is stored"),
                )
            )

    def _open(self) -> bool:
        if self.room is not None:
            return False
        ui = self._ui
        package, answers = ui.packageEdit.text.strip(), ui.answersEdit.text.strip()
        if not self._scene_is_free():
            return False
        ui.readLabel.text = _("Opening the package ...")
        slicer.app.processEvents()
        try:
            with slicer.util.WaitCursor():
                opened = self._open_reading(package, ui.readerEdit.text, answers or None)
        except MedUSISError as error:
            self.refresh(self._packages)
            self.failed(error)
            return False
        return self.open_room(opened, answers or _answers_beside(package))

    def _scene_is_free(self) -> bool:
        """Other images could be mixed up with those of the study, and segmentations would lie over them."""
        scene = slicer.mrmlScene
        if not any(not node.GetHideFromEditors() for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode")):
            return True
        if not self._dialogs.confirm(
            _("There are images in the scene. They are closed for the reading; what was not saved is lost. Go on?")
        ):
            return False
        scene.Clear(0)
        return True

    def _on_room_closed(self) -> None:
        self.room = None
        self.changed()

    def _on_read(self, _checked: bool = False) -> None:
        self._open()

    def _on_typed(self, _text: str) -> None:
        self.refresh(self._packages)

    def _on_choose_package(self, _checked: bool = False) -> None:
        path = self._dialogs.open_file(_("The package that you were given"), _("Packages (*.zip)"))
        if path is not None:
            self._ui.packageEdit.text = str(path)

    def _on_choose_answers(self, _checked: bool = False) -> None:
        path = self._dialogs.save_file(_("Where the answers are kept"), "answers.sqlite", _("Answers (*.sqlite)"))
        if path is not None:
            self._ui.answersEdit.text = str(path)


def _answers_beside(package: str) -> str:
    from MedUSISLib.mrml.reading_start import answers_beside

    return str(answers_beside(Path(package)))
