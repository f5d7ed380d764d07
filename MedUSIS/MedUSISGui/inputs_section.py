"""The part "Inputs": which CT, which segmentation, and what each segment is."""

from __future__ import annotations

from collections.abc import Mapping

from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .mapping_choice import BY_NAME, TABLE, MappingChoice
from .mapping_table import MappingTable

_MAPPING_ATTRIBUTE = "MedUSIS.Mapping"


class InputsSection:
    """Shows the segments with their classes, and stores what the user changes with the scene.

    The CT selector is bound to the parameter node by its ``SlicerParameterName``; the segmentation selector takes two
    types of nodes and is bound here.

    Parameters
    ----------
    ui : widgets of the panel
    dialogs : Dialogs

    Attributes
    ----------
    changed : Signal
        Without arguments: the user has changed something that decides about the run.
    failed : Signal
        With a ``MedUSISError``: a table that cannot be read, for instance.
    derive_asked, sample_asked : Signal
        The buttons "Derive a segmentation" and "Load the sample head".
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._parameters = None
        self._schema = None
        self._rows: list = []
        self.changed = Signal()
        self.failed = Signal()
        self.derive_asked = Signal()
        self.sample_asked = Signal()
        self._table = MappingTable(ui.segmentsTable)
        self._table.class_chosen.connect(self._on_class_chosen)
        self._mapping = MappingChoice(ui.mappingComboBox, dialogs)
        self._mapping.chosen.connect(self._on_mapping_chosen)
        ui.segmentationSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_segmentation_selected)
        ui.deriveSegmentationButton.connect("clicked(bool)", lambda _checked=False: self.derive_asked())
        ui.sampleDataButton.connect("clicked(bool)", lambda _checked=False: self.sample_asked())

    def set_parameters(self, parameters) -> None:
        """Use another parameter node, or none."""
        self._parameters = None
        self._ui.segmentationSelector.setCurrentNode(parameters.segmentation if parameters is not None else None)
        self._parameters = parameters

    @property
    def rows(self) -> list:
        """The segments with their classes (``SegmentRow``)."""
        return list(self._rows)

    @property
    def classes(self) -> Mapping[str, str]:
        """Class name of each segment's key; empty where nobody knows one."""
        return {row.key: row.class_name or "" for row in self._rows}

    @property
    def table(self) -> MappingTable:
        """The preview table."""
        return self._table

    def refresh(self, schema, busy: bool = False) -> None:
        """Read the segments again.

        Parameters
        ----------
        schema : LabelSchema or None
            Of the chosen generator; None while packages are missing.
        busy : bool
            While something runs, nothing new can be started here.
        """
        parameters = self._parameters
        self._schema = schema
        ct = parameters.ct if parameters is not None else None
        segmentation = parameters.segmentation if parameters is not None else None
        if self._ui.segmentationSelector.currentNode() is not segmentation:
            self._ui.segmentationSelector.setCurrentNode(segmentation)
        self._ui.deriveSegmentationButton.enabled = ct is not None and schema is not None and not busy
        self._ui.sampleDataButton.visible = ct is None and segmentation is None
        self._ui.sampleDataButton.enabled = schema is not None and not busy
        self._ui.ctSelector.enabled = not busy
        self._ui.segmentationSelector.enabled = not busy
        self._ui.mappingComboBox.enabled = schema is not None and segmentation is not None and not busy
        self._ui.segmentsTable.enabled = not busy
        self._rows = self._read_rows(segmentation, schema)
        self._ui.deriveSegmentationButton.visible = not self._rows
        if schema is None:
            self._mapping.fill([], BY_NAME)
            self._table.clear()
            self._say("")
            return
        from MedUSISLib.anatomy.mapping import available_mappings

        chosen = segmentation.GetAttribute(_MAPPING_ATTRIBUTE) if segmentation is not None else None
        self._mapping.fill(available_mappings(schema.id), chosen or BY_NAME)
        self._table.show(self._rows, _class_titles(schema))
        self._say(_state_text(self._rows) if segmentation is not None else "")

    def _read_rows(self, segmentation, schema) -> list:
        if segmentation is None or schema is None:
            return []
        from MedUSISLib.mrml.segment_classes import segment_rows

        try:
            return list(segment_rows(segmentation, schema))
        except MedUSISError:
            return []  # the checks before a run say why it cannot be used

    def _say(self, text: str) -> None:
        self._ui.mappingStateLabel.text = text
        self._ui.mappingStateLabel.visible = bool(text)

    def _on_segmentation_selected(self, node) -> None:
        if self._parameters is not None and self._parameters.segmentation is not node:
            self._parameters.segmentation = node
            self.changed()

    def _on_class_chosen(self, key: str, name: str) -> None:
        if name and self._parameters is not None and self._schema is not None:
            self._store({key: name})
            self.changed()

    def _on_mapping_chosen(self, choice) -> None:
        """Classes of the mapping are stored with the segmentation, as if the user had chosen each of them."""
        segmentation = self._parameters.segmentation if self._parameters is not None else None
        if segmentation is None or self._schema is None:
            return
        from MedUSISLib.mrml.segment_classes import rows_from_mapping

        try:
            if choice == BY_NAME:
                self._store({row.key: None for row in self._rows})
            else:
                mapped = rows_from_mapping(self._rows, choice, self._schema)
                self._store({row.key: row.class_name for row in mapped})
            segmentation.SetAttribute(_MAPPING_ATTRIBUTE, choice if isinstance(choice, str) else TABLE)
        except MedUSISError as error:
            self.failed(error)
        self._mapping.forget()
        self.changed()

    def _store(self, classes: Mapping[str, str | None]) -> None:
        from MedUSISLib.mrml.segment_classes import store_class

        node = self._parameters.segmentation
        if node is None:
            return
        for key, name in classes.items():
            store_class(node, key, name, self._schema.id)


def _class_titles(schema) -> list[tuple[str, str]]:
    """Names and titles of the classes; what stands in brackets is left out where the rest is still unmistakable."""
    short = [label.title.split(" (")[0] for label in schema.classes]
    titles = []
    for label, brief in zip(schema.classes, short, strict=True):
        title = brief if short.count(brief) == 1 else label.title
        titles.append((label.name, _("Background (left out)") if label.name == "background" else title))
    return titles


def _state_text(rows) -> str:
    unknown = sum(1 for row in rows if not row.class_name)
    guessed = sum(1 for row in rows if row.known_by == "values")
    if not rows:
        return ""
    if unknown == 0 and guessed:
        return _("{count} segments; {guessed} classes are guessed from label numbers alone: please check them.").format(
            count=len(rows), guessed=guessed
        )
    if unknown == 0:
        return _("{count} segments; all have a class.").format(count=len(rows))
    return _("{unknown} of {count} segments have no class yet: choose one in the table.").format(
        unknown=unknown, count=len(rows)
    )
