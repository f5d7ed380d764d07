"""The chosen cases: picture, problems with what to do, and what a person can decide about them."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox
from .fine_tune_cases import side_title
from .pictures import PictureLabel
from .rich_text import escaped, marked, sentence

_LEVELS = {"error": "worry", "warning": "look", "note": "unknown"}
_SEQUENCES = ("T1w", "T2w", "FLAIR", "PDw", "T1w-CE")
_TABLE = "a table"
_SIDES = ("train", "validation", "test")


class CaseDetails:
    """Shows one row of the table, or what several have in common.

    Parameters
    ----------
    ui : widgets of FineTune.ui
    dialogs : Dialogs

    Attributes
    ----------
    side_chosen : Signal
        With the people and the side.
    sequence_chosen : Signal
        With ids of MR files and the sequence.
    mapping_chosen : Signal
        With ids of label maps and the mapping (a name or a path), None for "not known".
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self._rows: list = []
        self.side_chosen, self.sequence_chosen, self.mapping_chosen = Signal(), Signal(), Signal()
        self._picture = PictureLabel(ui.casePictureLabel)
        self._side = ValueComboBox(ui.caseSideComboBox)
        self._side.chosen.connect(self._on_side)
        self._sequence = ValueComboBox(ui.caseSequenceComboBox)
        self._sequence.chosen.connect(self._on_sequence)
        self._mapping = ValueComboBox(ui.caseMappingComboBox)
        self._mapping.chosen.connect(self._on_mapping)
        self.show([], "head")

    def show(self, rows, schema: str) -> None:
        """Show these rows (``CaseRow``); none hides everything."""
        self._rows = list(rows)
        self._ui.caseFrame.visible = bool(self._rows)
        if not self._rows:
            self._picture.show(None)
            return
        single = self._rows[0] if len(self._rows) == 1 else None
        if single is None or not any(self._picture.show(path) for path in single.pictures):
            self._picture.show(None)
        self._ui.caseTextLabel.text = _text_of(single) if single is not None else _several(len(self._rows))
        self._side.fill([(side, side_title(side)) for side in _SIDES], _common(row.split for row in self._rows))
        self._ui.caseSideComboBox.enabled = all(row.changeable for row in self._rows)
        mrs = [row for row in self._rows if row.mr is not None]
        self._fill_sequence(mrs)
        self._fill_mapping([row for row in self._rows if row.labels is not None], schema)

    def _fill_sequence(self, rows) -> None:
        for widget in (self._ui.caseSequenceLabel, self._ui.caseSequenceComboBox):
            widget.visible = bool(rows)
        if rows:
            entries = [("", _("not said")), *((name, name) for name in _SEQUENCES)]
            self._sequence.fill(entries, _common(row.sequence for row in rows))

    def _fill_mapping(self, rows, schema: str) -> None:
        for widget in (self._ui.caseMappingLabel, self._ui.caseMappingComboBox):
            widget.visible = bool(rows)
        if rows:
            from MedUSISLib.anatomy.mapping import available_mappings

            entries = [("", _("not known")), *((name, name) for name in available_mappings(schema))]
            entries.append((_TABLE, _("as a table says (CSV)...")))
            self._mapping.fill(entries, _common(row.mapping for row in rows))

    def _on_side(self, side: str) -> None:
        self.side_chosen(sorted({row.person for row in self._rows}), side)

    def _on_sequence(self, sequence: str) -> None:
        self.sequence_chosen([row.mr for row in self._rows if row.mr is not None], sequence)

    def _on_mapping(self, mapping: str) -> None:
        chosen: str | None = mapping or None
        if mapping == _TABLE:
            path = self._dialogs.open_file(_("Table with the columns value,name,class"), _("Tables (*.csv *.tsv)"))
            if path is None:
                self._mapping.select(_common(row.mapping for row in self._rows if row.labels is not None))
                return
            chosen = str(path)
        self.mapping_chosen([row.labels for row in self._rows if row.labels is not None], chosen)


def _common(values) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _several(count: int) -> str:
    return _("{count} cases are chosen. What you change below is changed for all of them.").format(count=count)


def _text_of(row) -> str:
    lines = [
        marked(_LEVELS.get(line.severity, "unknown"), f"{sentence(line.text)} <i>{sentence(line.advice)}</i>")
        for line in row.problems
    ]
    if not lines:
        lines = [_("No problem was found.")]
    lines += [f"<small>{escaped(file)}</small>" for file in row.files]
    return "<br>".join(lines)
