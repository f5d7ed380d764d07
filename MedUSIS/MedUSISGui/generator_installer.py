"""Installing a generator from a folder, a zip file or a web address, without blocking the window."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.signal import Signal


class GeneratorInstaller:
    """The menu of "Install a generator" and the fields for a web address.

    Parameters
    ----------
    ui : widgets of the panel
    install_generator : callable
        ``install_generator(source, on_done, on_error, sha256=None, accept=None)``; returns at once and calls
        ``on_done(summary)`` or ``on_error(failure)`` later, in this thread. A summary with "terms" asks for them.
    forget_download : callable
        ``forget_download(source)``: its terms were not accepted.
    dialogs : Dialogs

    Attributes
    ----------
    installed : Signal
        With the id of the generator.
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    """

    def __init__(self, ui, install_generator, forget_download, dialogs) -> None:
        self._ui = ui
        self._install_generator = install_generator
        self._forget_download = forget_download
        self._dialogs = dialogs
        self._busy = False
        self._allowed = False
        self.installed = Signal()
        self.failed = Signal()
        self._menu = qt.QMenu(ui.generatorInstallButton)
        for text, function in (
            (_("From a folder..."), self.from_folder),
            (_("From a zip file..."), self.from_zip),
            (_("From a web address..."), self.show_address_fields),
        ):
            self._menu.addAction(text).connect("triggered()", function)
        ui.generatorInstallButton.setMenu(self._menu)
        ui.generatorUrlInstallButton.connect("clicked(bool)", self._on_address)
        ui.generatorUrlCancelButton.connect("clicked(bool)", self._on_close)
        ui.generatorUrlFrame.visible = False
        self._say("")

    def set_enabled(self, allowed: bool) -> None:
        """Whether something may be installed now."""
        self._allowed = allowed
        self._ui.generatorInstallButton.enabled = allowed and not self._busy
        self._ui.generatorUrlInstallButton.enabled = allowed and not self._busy

    def from_folder(self) -> None:
        """Ask for a folder and install from it."""
        folder = self._dialogs.folder(_("Folder of the generator (it holds a manifest.json)"))
        if folder is not None:
            self._install(str(folder))

    def from_zip(self) -> None:
        """Ask for a zip file and install from it."""
        path = self._dialogs.open_file(_("Zip file of the generator"), _("Zip files (*.zip)"))
        if path is not None:
            self._install(str(path))

    def show_address_fields(self) -> None:
        """Show the fields for a web address."""
        self._ui.generatorUrlFrame.visible = True
        self._ui.generatorUrlEdit.setFocus()

    def _on_address(self, _checked: bool = False) -> None:
        address = self._ui.generatorUrlEdit.text.strip()
        if not address.lower().startswith("https://"):
            self.failed(
                MedUSISError(
                    ErrorCode.BAD_SETTING,
                    _("the web address does not begin with https://"),
                    _("copy the whole address of the zip file"),
                )
            )
            return
        self._install(address, self._ui.generatorChecksumEdit.text.strip() or None)

    def _on_close(self, _checked: bool = False) -> None:
        self._ui.generatorUrlFrame.visible = False

    def _install(self, source: str, sha256: str | None = None, accept: str | None = None) -> None:
        self._set_busy(True)
        self._say(_("Installing the generator: every file is checked before it is used."))

        def on_done(summary) -> None:
            if "terms" in summary:
                self._ask(source, sha256, summary)
            else:
                self._on_done(summary)

        try:
            self._install_generator(source, on_done, self._on_error, sha256, accept=accept)
        except MedUSISError as error:
            self._on_error(error)

    def _ask(self, source: str, sha256: str | None, summary) -> None:
        """Nothing was installed yet: the licence comes first."""
        question = _("Do you accept this licence, and shall the generator be installed?")
        if self._dialogs.accept_licence(f"{summary['terms']}\n\n{question}", str(summary.get("licence_text", ""))):
            self._install(source, sha256, str(summary["sha256"]))
            return
        self._set_busy(False)
        self._forget_download(source)
        self._say(_("Nothing was installed: the licence was not accepted."))

    def _on_done(self, summary) -> None:
        self._set_busy(False)
        self._ui.generatorUrlFrame.visible = False
        identifier = str(summary.get("id", ""))
        self._say(_("The generator '{id}' is installed.").format(id=identifier))
        self.installed(identifier)

    def _on_error(self, error) -> None:
        self._set_busy(False)
        self._say("")
        self.failed(error)

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self.set_enabled(self._allowed)

    def _say(self, text: str) -> None:
        self._ui.generatorStateLabel.text = text
        self._ui.generatorStateLabel.visible = bool(text)
