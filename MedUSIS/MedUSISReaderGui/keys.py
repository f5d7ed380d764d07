"""Keys of the reading room: they work wherever the focus is, as long as the widget they belong to is on the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import qt

ONCE = ("Return", "Enter", "Ctrl+Return", "Esc")


class Keys:
    """Shortcuts of one page.

    Parameters
    ----------
    page : QWidget
        While it is hidden its keys do nothing.
    actions : mapping of str to callable
        As QKeySequence writes keys ("Return", "Shift+Space") to what they do, without arguments.
    """

    def __init__(self, page, actions: Mapping[str, Callable[[], object]]) -> None:
        self.shortcuts = {}
        for key, action in actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), page)
            shortcut.autoRepeat = key not in ONCE  # a key held down must not confirm the next trial as well
            shortcut.connect("activated()", _without_result(action))
            self.shortcuts[key] = shortcut

    def enable(self, on: bool) -> None:
        """Let the keys work or not."""
        for shortcut in self.shortcuts.values():
            shortcut.enabled = on


def _without_result(action: Callable[[], object]) -> Callable[[], None]:
    def act() -> None:
        action()

    return act
