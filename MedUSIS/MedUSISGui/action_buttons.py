"""Buttons that each do one thing with what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping


class ActionButtons:
    """Tells which button was pressed, and enables those that make sense.

    Parameters
    ----------
    buttons : mapping of str to QPushButton
        By the name of the action.
    do : callable
        Called with the name of the action.
    """

    def __init__(self, buttons: Mapping, do: Callable[[str], object]) -> None:
        self._buttons = dict(buttons)
        for action, button in self._buttons.items():
            button.connect("clicked(bool)", lambda _checked=False, action=action: do(action))

    def set_visible(self, visible: bool) -> None:
        """Show them all, or none."""
        for button in self._buttons.values():
            button.visible = visible

    def enable(self, actions: Collection[str]) -> None:
        """Only these can be pressed."""
        for action, button in self._buttons.items():
            button.enabled = action in actions
