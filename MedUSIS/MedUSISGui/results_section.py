"""The part "Result and review", upper half: which result, what its checks say, and saving it."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox
from .rich_text import SQUARE, colored, escaped


class ResultsSection:
    """Shows one of the results in the scene.

    Parameters
    ----------
    ui : widgets of the panel
    dialogs : Dialogs

    Attributes
    ----------
    chosen : Signal
        Without arguments: the user has picked another result.
    failed : Signal
        With a ``MedUSISError``: the report cannot be written, for instance.
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self._parameters = None
        self._shown: tuple | None = None
        self.chosen = Signal()
        self.failed = Signal()
        self._combo = ValueComboBox(ui.resultComboBox)
        self._combo.chosen.connect(self._on_chosen)
        ui.saveButton.connect("clicked(bool)", lambda _checked=False: dialogs.save_scene())
        ui.exportReportButton.connect("clicked(bool)", self._on_export_report)

    def set_parameters(self, parameters) -> None:
        """Use another parameter node, or none."""
        self._parameters = parameters

    @property
    def nodes(self):
        """The chosen result (``SynthesisNodes``), None when there is none."""
        from MedUSISLib.mrml.result_nodes import nodes_of

        mr = self._parameters.result if self._parameters is not None else None
        return nodes_of(mr) if mr is not None else None

    def refresh(self) -> None:
        """Read the results of the scene again; without a choice the newest one is shown."""
        from MedUSISLib.mrml.result_nodes import synthetic_volumes

        volumes = list(synthetic_volumes(slicer.mrmlScene)) if self._parameters is not None else []
        if self.nodes is None and volumes:
            self._parameters.result = volumes[-1]
        nodes = self.nodes
        self._combo.fill(
            [(volume.GetID(), volume.GetName()) for volume in volumes], nodes.mr.GetID() if nodes is not None else None
        )
        self._ui.resultComboBox.enabled = bool(volumes)
        self._ui.reviewFrame.enabled = nodes is not None
        self._ui.reviewFrame.visible = nodes is not None
        self._ui.replaceResultCheckBox.enabled = nodes is not None
        self._describe(nodes)

    def _describe(self, nodes) -> None:
        key = None if nodes is None else tuple(node.GetID() for node in (nodes.mr, nodes.quality) if node is not None)
        if key == self._shown and key is not None:
            return
        self._shown = key
        self._ui.exportReportButton.enabled = nodes is not None and nodes.report is not None
        self._ui.qualityTableView.setMRMLTableNode(nodes.quality if nodes is not None else None)
        self._ui.qualityFlagsLabel.visible = nodes is not None
        if nodes is None:
            self._ui.verdictLabel.text = _("No synthetic MR in this scene yet.")
            self._ui.qualityFlagsLabel.text = ""
            return
        from MedUSISLib.mrml.quality_nodes import quality_sentences, verdict

        level, sentence = verdict(nodes)
        self._ui.verdictLabel.text = colored(level, f"<b>{escaped(sentence)}</b>")
        marks = (colored(level, SQUARE) + " " + escaped(text) for level, text in quality_sentences(nodes))
        self._ui.qualityFlagsLabel.text = "<br>".join(marks)

    def _on_chosen(self, identifier: str) -> None:
        if self._parameters is not None:
            self._parameters.result = slicer.mrmlScene.GetNodeByID(identifier)
            self.refresh()
            self.chosen()

    def _on_export_report(self, _checked: bool = False) -> None:
        nodes = self.nodes
        if nodes is None:
            return
        from MedUSISLib.mrml.results import export_report

        path = self._dialogs.save_file(_("Export the report"), "MedUSIS report.html", _("Web pages (*.html)"))
        if path is None:
            return
        try:
            export_report(nodes, path if path.suffix else path.with_suffix(".html"))
        except MedUSISError as error:
            self.failed(error)
