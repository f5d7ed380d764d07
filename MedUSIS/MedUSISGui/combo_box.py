"""A combo box whose entries carry a value that differs from what a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from MedUSISLib.signal import Signal


class ValueComboBox:
    """Entries (value, text) in a QComboBox; ``chosen(value)`` is emitted when the user picks another one.

    Filling it and setting its value from the program emit nothing. A value that is not among the entries is added as
    one of its own, so that a choice kept in a scene is never lost silently.

    Parameters
    ----------
    combo : QComboBox
    """

    def __init__(self, combo) -> None:
        self.combo = combo
        self.chosen = Signal()
        self._entries: list[tuple[str, str]] = []
        self._values: list[str] = []
        self._silent = False
        combo.connect("currentIndexChanged(int)", self._on_index_changed)

    @property
    def value(self) -> str | None:
        """Value of the current entry; None when there is none."""
        index = self.combo.currentIndex
        return self._values[index] if 0 <= index < len(self._values) else None

    @property
    def values(self) -> list[str]:
        """Of all entries, in their order."""
        return list(self._values)

    def fill(self, entries: Sequence[tuple[str, str]], value: str | None, unknown: str = "{value}") -> None:
        """Replace all entries; ``value`` becomes the current one, None leaves nothing chosen.

        Parameters
        ----------
        entries : sequence of (value, text)
        value : str or None
        unknown : str
            Text of the added entry when ``value`` is not among them.
        """
        wanted = list(entries)
        if value is not None and value not in [known for known, _ in wanted]:
            wanted.append((value, unknown.format(value=value)))
        if wanted == self._entries:  # a list that is open stays open
            self.select(value)
            return
        self._silent = True
        try:
            self.combo.clear()
            self._entries = wanted
            self._values = [known for known, _ in wanted]
            for known, text in wanted:
                self.combo.addItem(text, known)
            self.combo.setCurrentIndex(self._values.index(value) if value is not None else -1)
        finally:
            self._silent = False

    def select(self, value: str | None) -> None:
        """Make the entry with this value the current one; without such an entry nothing is chosen."""
        index = self._values.index(value) if value in self._values else -1
        if self.combo.currentIndex == index:
            return
        self._silent = True
        try:
            self.combo.setCurrentIndex(index)
        finally:
            self._silent = False

    def _on_index_changed(self, _index: int) -> None:
        if not self._silent and self.value is not None:
            self.chosen(self.value)
