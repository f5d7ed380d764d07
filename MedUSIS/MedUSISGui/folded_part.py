"""A part of the panel that is folded at first, and of which nothing is loaded before somebody opens it."""

from __future__ import annotations


class FoldedPart:
    """Life: ``enter`` and ``exit`` as the user comes and goes; a class of it says in ``_update`` what to load.

    ``_update`` is called whenever ``opened`` may be another, and puts into ``_parts`` what works then: something with
    ``close``.

    Parameters
    ----------
    button : ctkCollapsibleButton
        Holds the part.
    """

    def __init__(self, button) -> None:
        self._button = button
        self._entered = False
        self._parts = None
        self._button.connect("contentsCollapsed(bool)", lambda _collapsed: self._update())

    @property
    def opened(self) -> bool:
        """Whether it can be seen, as far as the module knows."""
        return self._entered and not self._button.collapsed

    @property
    def parts(self):
        """What works in it, once it was opened and the packages are there."""
        return self._parts

    def enter(self) -> None:
        """The user opens the module."""
        self._entered = True
        self._update()

    def exit(self) -> None:
        """The user opens another module; what works in the background goes on."""
        self._entered = False
        self._update()

    def close(self) -> None:
        """The module goes away; what works in the background goes on."""
        self.exit()
        if self._parts is not None:
            self._parts.close()
            self._parts = None

    def _update(self) -> None:
        raise NotImplementedError
