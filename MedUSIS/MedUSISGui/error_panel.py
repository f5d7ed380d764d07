"""What went wrong, in words, with what to do, and the details on demand: in the panel, not in a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import qt
from slicer.i18n import tr as _

from .call_later import call_later
from .rich_text import COLORS, escaped
from .scrolling import scroll_to


def error_title(code: str) -> str:
    """What kind of trouble, in a few words."""
    titles = {
        "INPUT_NOT_READABLE": _("An input cannot be read"),
        "NOT_A_CT": _("This is not a CT"),
        "GEOMETRY_MISMATCH": _("The images do not fit together"),
        "EMPTY_SEGMENTATION": _("The segmentation does not cover the body"),
        "UNKNOWN_LABELS": _("Some segments have no class"),
        "GENERATOR_NOT_FOUND": _("There is no such generator"),
        "GENERATOR_CORRUPT": _("The generator cannot be used"),
        "OUT_OF_MEMORY": _("The memory does not suffice"),
        "DEVICE_NOT_AVAILABLE": _("The chosen device is not there"),
        "DISK_FULL": _("The disk is full"),
        "DEPENDENCY_MISSING": _("Something that MedUSIS needs is missing"),
        "TIMED_OUT": _("It took too long"),
        "BAD_SETTING": _("A setting does not work"),
        "CANCELLED": _("Cancelled"),
    }
    return titles.get(code, _("Something went wrong"))


class ErrorPanel:
    """Shows one error at a time; ``show`` takes a ``MedUSISError`` or a ``Failure`` of a job.

    Parameters
    ----------
    ui : widgets of the panel
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._buttons: list = []
        ui.errorDetailsButton.connect("toggled(bool)", self._on_details)
        ui.errorCopyButton.connect("clicked(bool)", self._on_copy)
        ui.errorCloseButton.connect("clicked(bool)", self._on_close)
        self.hide()

    def show(self, error, log: str = "", actions: Sequence[tuple[str, Callable[[], None]]] = ()) -> None:
        """Show an error.

        Parameters
        ----------
        error : MedUSISError or Failure
            Has ``code``, ``message``, ``hint`` and ``path``.
        log : str
            Shown among the details.
        actions : sequence of (text, function)
            One button each, for what the user can do at once; pressing it hides the panel first.
        """
        code = str(getattr(error.code, "value", error.code))
        self._ui.errorTitleLabel.text = f'<b style="color:{COLORS["worry"]}">{escaped(error_title(code))}</b>'
        self._ui.errorTextLabel.text = _sentences(error.message, error.hint, _place(error))
        details = [_("Kind of error: {code}").format(code=code), error.message, error.hint]
        self._ui.errorDetailsText.setPlainText("\n".join([*filter(None, details), "", log]).strip())
        self._ui.errorDetailsButton.checked = False
        self._ui.errorDetailsText.visible = False
        self._set_actions(actions)
        self._ui.errorFrame.visible = True
        scroll_to(self._ui.errorFrame)

    def hide(self) -> None:
        """Nothing is wrong any more."""
        self._ui.errorFrame.visible = False
        self._ui.errorDetailsText.visible = False
        self._set_actions(())

    @property
    def shown(self) -> bool:
        """Whether an error is being shown."""
        return not self._ui.errorFrame.isHidden()

    def _set_actions(self, actions) -> None:
        layout = self._ui.errorActionsFrame.layout()
        for button in self._buttons:
            layout.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        for text, function in actions:
            button = qt.QPushButton(text)
            button.toolTip = _("Try again this way.")
            button.connect("clicked(bool)", self._action(function))
            layout.addWidget(button)
            self._buttons.append(button)
        self._ui.errorActionsFrame.visible = bool(self._buttons)

    def _action(self, function: Callable[[], None]) -> Callable[[bool], None]:
        def act(_checked: bool = False) -> None:
            # The button that was pressed is deleted by hide(), so that comes after Qt has finished with the click.
            call_later(self._ui.errorFrame, 0, lambda: (self.hide(), function()))

        return act

    def _on_details(self, on: bool) -> None:
        self._ui.errorDetailsText.visible = on

    def _on_copy(self, _checked: bool = False) -> None:
        self._ui.errorDetailsText.selectAll()
        self._ui.errorDetailsText.copy()

    def _on_close(self, _checked: bool = False) -> None:
        self.hide()


def _place(error) -> str:
    """Which file it is about, for the user's eyes only: the details are made to be passed on and do not name it."""
    path = getattr(error, "path", None)
    return _("File: {path}").format(path=path) if path and Path(path).exists() else ""


def _sentences(*parts: str) -> str:
    """Parts as sentences, each with a capital and a full stop, for a label with rich text."""
    sentences = []
    for part in parts:
        text = part.strip()
        if text:
            text = text[0].upper() + text[1:]
            sentences.append(escaped(text if text[-1] in ".!?" else text + "."))
    return "<br>".join(sentences)
