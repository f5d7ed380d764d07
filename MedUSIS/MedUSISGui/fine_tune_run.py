"""The chosen run: is it going well, its curves, the newest pictures, what it had to say."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.mrml.fine_tune_runs import hint_of, warnings_of
from MedUSISLib.mrml.stage_titles import stage_title
from MedUSISLib.private_folder import PrivateFolder
from MedUSISLib.signal import Signal

from .pictures import PictureLabel
from .rich_text import SQUARE, colored, escaped, marked, sentence
from .wording import time_left_text

_HIGHEST = 460
_HIGHEST_SAMPLES = 760
_CURVES = "curves.png"
_SAMPLES = "samples.png"


class RunView:
    """Shows one run (``RunLine``); pictures are drawn and read again only when something was added.

    Parameters
    ----------
    ui : widgets of FineTune.ui
    runs : MedUSISLib.mrml.fine_tune_runs.RunList
    background : BackgroundJobs
        Installs the finished generator.
    dialogs : Dialogs
    is_installed : callable
        ``is_installed(id)``: whether the user has a generator of this id.

    Attributes
    ----------
    installed : Signal
        With the id of a generator that was installed.
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    """

    def __init__(self, ui, runs, background, dialogs, is_installed) -> None:
        self._ui = ui
        self._runs = runs
        self._background = background
        self._dialogs = dialogs
        self._is_installed = is_installed
        self._line = None
        self._installing = False
        self._used: tuple[str, str] = ("", "")
        self._shown: tuple | None = None
        self._sample: tuple | None = None
        self.installed = Signal()
        self.failed = Signal()
        self._folder = PrivateFolder("curves")
        self._curves = PictureLabel(ui.runCurvesLabel, _HIGHEST)
        self._samples = PictureLabel(ui.runSampleLabel, _HIGHEST_SAMPLES)
        ui.useGeneratorButton.connect("clicked(bool)", self._on_use)
        self.show(None)

    def close(self) -> None:
        """Remove the drawn curves."""
        self._folder.close()

    def show(self, line) -> None:
        """Show this run; None hides everything."""
        self._line = line
        self._ui.runViewFrame.visible = line is not None
        if line is None:
            self._shown = self._sample = None
            return
        from MedUSISLib.mrml.fine_tune_verdict import verdict

        log, added = self._runs.log(line.id)
        facts = self._runs.facts(line.id)
        found = verdict(line.status, log, facts)
        title = colored(found.level, f"{SQUARE} <b>{escaped(found.title)}</b>")
        self._ui.runVerdictLabel.text = f"{title}<br>{sentence(found.sentence)}"
        self._ui.runStageLabel.text = _stage_text(line)
        self._ui.runStageLabel.visible = bool(self._ui.runStageLabel.text)
        self._ui.useGeneratorButton.visible = "use" in line.actions
        self._ui.useGeneratorButton.enabled = not self._installing
        self._ui.useGeneratorLabel.text = self._used[1] if self._used[0] == line.id else ""
        self._ui.useGeneratorLabel.visible = bool(self._ui.useGeneratorLabel.text)
        self._ui.runNotesLabel.text = _notes(line)
        self._ui.runNotesLabel.visible = bool(self._ui.runNotesLabel.text)
        if added or self._shown != (line.id,):
            self._shown = (line.id,)
            self._draw(log, facts)
        self._show_sample(line.status.newest_sample)
        for picture in (self._curves, self._samples):
            picture.refit()

    def _draw(self, log, facts) -> None:
        from MedUSISLib.mrml.curves_picture import write_png
        from MedUSISLib.mrml.fine_tune_curves import last_iteration, panels_of

        panels = panels_of(log, facts)
        if not panels:
            self._curves.show(None)
            return
        path = write_png(panels, last_iteration(log, facts), self._folder.path / _CURVES)
        self._curves.show(path)

    def _show_sample(self, path) -> None:
        stamp = None
        if path is not None and path.is_file():
            stamp = (path, path.stat().st_mtime_ns)
        self._ui.runSampleCaptionLabel.visible = stamp is not None
        if stamp is None:
            self._samples.show(None)
        elif stamp != self._sample and not self._show_folded(path):
            stamp = None  # half written: again at the next look
        self._sample = stamp

    def _show_folded(self, path) -> bool:
        from MedUSISLib.mrml.sample_picture import folded

        try:
            return self._samples.show(folded(path, self._folder.path / _SAMPLES))
        except OSError:
            return False

    def _on_use(self, _checked: bool = False) -> None:
        line = self._line
        if line is None or line.status.bundle is None or self._installing:
            return
        identifier = line.status.bundle.name
        replace = self._is_installed(identifier)
        if replace and not self._dialogs.confirm(
            _("Replace the generator '{name}' that you have installed?").format(name=identifier)
        ):
            return
        self._installing = True
        self._say(line.id, "unknown", _("Checking every file and installing."))
        self._ui.useGeneratorButton.enabled = False
        self._background.install_generator(
            str(line.status.bundle), self._on_installed, self._on_not_installed, None, replace, accept="yes"
        )

    def _on_installed(self, summary) -> None:
        self._installing = False
        identifier = str(summary.get("id", ""))
        text = _("'{name}' is installed and chosen for the next synthesis.").format(name=identifier)
        self._say(self._used[0], "ok", text)
        self.installed(identifier)

    def _on_not_installed(self, failure) -> None:
        self._installing = False
        self._say("", "unknown", "")
        self.failed(failure)

    def _say(self, run: str, level: str, text: str) -> None:
        """What became of "Use this generator", beside its button and for this run only."""
        self._used = (run, marked(level, text) if text else "")
        self.show(self._line)


def _stage_text(line) -> str:
    if line.working:
        parts = [stage_title(line.status.stage, "train") if line.status.stage else _("Starting")]
        if line.status.total:
            parts.append(f"{line.status.done} / {line.status.total}")
        left = time_left_text(line.eta_s)
        return escaped(", ".join([*parts, *([left] if left else [])]))
    if line.state == "queued":
        return ""
    return sentence(line.status.message) if line.status.message and line.state != "failed" else ""


def _notes(line) -> str:
    """What went wrong, with what to do, then the warnings."""
    found = []
    hint = hint_of(line.status)
    if hint:
        level = "worry" if line.state == "failed" else "look"
        found.append(marked(level, _("What to do: {hint}").format(hint=sentence(hint))))
    found += [marked("look", sentence(text)) for text in warnings_of(line.status)]
    return "<br>".join(found)
