"""The part "Generator": which network paints the image, and what is known about it."""

from __future__ import annotations

import re

from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox
from .generator_installer import GeneratorInstaller
from .pictures import PictureLabel
from .wording import bytes_text


class GeneratorSection:
    """Shows the catalogue and the model card of the chosen generator.

    Parameters
    ----------
    ui : widgets of the panel
    shelf : GeneratorShelf
    background : BackgroundJobs
        Installs generators, see ``GeneratorInstaller``.
    dialogs : Dialogs

    Attributes
    ----------
    changed : Signal
        Without arguments: another generator was chosen, installed or removed.
    failed : Signal
        With the error of an installation or a removal.
    """

    def __init__(self, ui, shelf, background, dialogs) -> None:
        self._ui = ui
        self._shelf = shelf
        self._dialogs = dialogs
        self._parameters = None
        self._entries: dict = {}
        self._schema_of: tuple | None = None
        self._described: object = False
        self.changed = Signal()
        self.failed = Signal()
        self._combo = ValueComboBox(ui.generatorComboBox)
        self._combo.chosen.connect(self._on_chosen)
        self._picture = PictureLabel(ui.generatorPictureLabel)
        self.installer = GeneratorInstaller(ui, background.install_generator, background.forget_download, dialogs)
        self.installer.installed.connect(self._on_installed)
        self.installer.failed.connect(self.failed)
        ui.generatorRemoveButton.connect("clicked(bool)", self._on_remove)

    def set_parameters(self, parameters) -> None:
        """Use another parameter node, or none."""
        self._parameters = parameters

    @property
    def entry(self):
        """The chosen generator (``ShelfEntry``), None when it is not there."""
        return self._entries.get(self._parameters.generator) if self._parameters is not None else None

    @property
    def schema(self):
        """The label schema of the chosen generator, None without one."""
        entry = self.entry
        if entry is None:
            return None
        if self._schema_of is None or self._schema_of[0] != entry.schema_id:
            try:
                self._schema_of = (entry.schema_id, self._shelf.schema(entry))
            except MedUSISError as error:
                self.failed(error)
                return None
        return self._schema_of[1]

    @property
    def entries(self) -> list:
        """All generators (``ShelfEntry``)."""
        return list(self._entries.values())

    def choose_installed(self, identifier: str) -> None:
        """Choose a generator that was installed just now."""
        self._on_installed(identifier)

    def reload(self) -> None:
        """Read the catalogue again."""
        self._entries = {entry.id: entry for entry in self._shelf.entries()}
        self._described = False

    def refresh(self, busy: bool = False) -> None:
        """Show the catalogue and the chosen generator."""
        chosen = self._parameters.generator if self._parameters is not None else None
        titles = [(entry.id, entry.title) for entry in self._entries.values()]
        self._combo.fill(titles, chosen, unknown=_("{value} (not installed)"))
        self._ui.generatorComboBox.enabled = bool(titles) and not busy
        self._ui.generatorRemoveButton.enabled = self.entry is not None and self.entry.removable and not busy
        self.installer.set_enabled(bool(titles) and not busy)
        if self._described is not self.entry:
            self._describe(self.entry)
            self._described = self.entry

    def _describe(self, entry) -> None:
        self._ui.generatorSummaryLabel.text = _summary(entry) if entry is not None else ""
        self._ui.generatorSummaryLabel.visible = entry is not None
        self._picture.show(entry.picture if entry is not None else None)
        self._ui.modelCardCollapsibleButton.visible = entry is not None and bool(entry.card)
        show_markdown(self._ui.modelCardBrowser, entry.card if entry is not None else "")

    def _on_chosen(self, identifier: str) -> None:
        if self._parameters is not None:
            self._parameters.generator = identifier
            self.changed()

    def _on_installed(self, identifier: str) -> None:
        self.reload()
        if self._parameters is not None and identifier in self._entries:
            self._parameters.generator = identifier
        self.changed()

    def _on_remove(self, _checked: bool = False) -> None:
        entry = self.entry
        if entry is None or not self._dialogs.confirm(
            _("Delete the generator '{title}' ({size}) from this computer?").format(
                title=entry.title, size=bytes_text(entry.size_bytes)
            )
        ):
            return
        try:
            self._shelf.remove(entry.id)
        except MedUSISError as error:
            self.failed(error)
        self.reload()
        if self._parameters is not None and self._entries and entry.id not in self._entries:
            self._parameters.generator = next(iter(self._entries))
        self.changed()


def _summary(entry) -> str:
    origin = _("installed by you") if entry.removable else _("comes with MedUSIS")
    text = _("Paints: {modality}. Body region: {region}. Licence: {licence}. {size}, version {version}, {origin}.")
    return text.format(
        modality=entry.modality,
        region=entry.body_region,
        licence=entry.licence,
        size=bytes_text(entry.size_bytes),
        version=entry.version,
        origin=origin,
    )


def show_markdown(browser, text: str) -> None:
    """Show a model card; its pictures are shown elsewhere, they would be too wide here."""
    without_pictures = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    if hasattr(browser, "setMarkdown"):
        browser.setMarkdown(without_pictures)
    else:
        browser.setPlainText(without_pictures)
