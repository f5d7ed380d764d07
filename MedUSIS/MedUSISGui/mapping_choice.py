"""How the classes of the segments are found: by name, by a mapping that comes with MedUSIS, or by a CSV table."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox

BY_NAME = "by name"
"""The class of each segment is found from its name."""
TABLE = "table"
"""The classes came from a CSV table."""
_CHOOSE_TABLE = "choose a table"


class MappingChoice:
    """The combo box "Label mapping".

    Attributes
    ----------
    chosen : Signal
        With ``BY_NAME``, the name of a mapping, or the path of a table (``Path``).
    """

    def __init__(self, combo, dialogs) -> None:
        self._combo = ValueComboBox(combo)
        self._dialogs = dialogs
        self._current = BY_NAME
        self._filled: tuple | None = None
        self.chosen = Signal()
        self._combo.chosen.connect(self._on_chosen)

    def fill(self, mappings, current: str) -> None:
        """Offer the mappings of the generator's schema (names), and show the current choice."""
        wanted = (tuple(mappings), current)
        if wanted == self._filled:
            return
        self._filled = wanted
        self._current = current
        entries = [(BY_NAME, _("By the names of the segments"))]
        entries += [(name, _("Mapping '{name}'").format(name=name)) for name in mappings]
        if current == TABLE:
            entries.append((TABLE, _("A CSV table")))
        entries.append((_CHOOSE_TABLE, _("From a CSV table...")))
        self._combo.fill(entries, current)

    def forget(self) -> None:
        """The next ``fill`` shows what it is given, whatever the user has picked meanwhile."""
        self._filled = None

    def _on_chosen(self, value: str) -> None:
        if value != _CHOOSE_TABLE:
            self.chosen(value)
            return
        self._combo.select(self._current)
        path = self._dialogs.open_file(
            _("Table with the columns value,name,class"), _("Tables (*.csv *.tsv *.txt);;All files (*)")
        )
        if path is not None:
            self.chosen(path)
