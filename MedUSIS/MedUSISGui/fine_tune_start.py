"""Start of a fine-tuning: what is missing, what it will take, and the two ways out - background, or a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import qt
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.fine_tune_readiness import TrainingNeeds, check, needed_disk_bytes, needs_text
from MedUSISLib.mrml.fine_tune_settings import configuration_file, specification
from MedUSISLib.mrml.readiness import Finding
from MedUSISLib.signal import Signal

from .rich_text import finding_line, marked

_REST_MS = 900


class FineTuneStart:
    """Readiness, estimate, "Start in the background" and "Save configuration...".

    The estimate is made by a child process when the settings have rested for a second: it checks the data as the
    training would, builds the networks and lets one slice go through them. Without it nothing can be started, so what
    it will take has been seen before.

    Parameters
    ----------
    ui : widgets of FineTune.ui
    dialogs : Dialogs
    estimate_training : callable
        ``BackgroundJobs.estimate_training``.

    Attributes
    ----------
    start_asked : Signal
        With the job specification and the settings.
    failed : Signal
    """

    def __init__(self, ui, dialogs, estimate_training) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self._estimate_training = estimate_training
        self._settings = None
        self._entry = None
        self._view = None
        self._taken: set[str] = set()
        self._key: tuple | None = None
        self._known: dict[tuple, TrainingNeeds | Finding] = {}
        self._asked: tuple | None = None
        self._cancel = None
        self.start_asked = Signal()
        self.failed = Signal()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.connect("timeout()", self._on_rested)
        ui.startTrainingButton.connect("clicked(bool)", self._on_start)
        ui.saveConfigurationButton.connect("clicked(bool)", self._on_save)
        ui.trainingStartedLabel.visible = False

    def refresh(self, settings, entry, view, taken) -> None:
        """Show what stands against a start.

        Parameters
        ----------
        settings : FineTuneSettings
        entry : ShelfEntry or None
            The generator to start from.
        view : DatasetView or None
        taken : set of str
            Names that are given already.
        """
        self._settings, self._entry, self._view, self._taken = settings, entry, view, set(taken)
        manifest = entry.manifest if entry is not None else None
        found = check(view, settings, manifest, self._taken, self._disk())
        blocked = any(finding.blocking for finding in found)
        self._key = None if blocked and self._blocked_data(found) else self._new_key()
        known = self._known.get(self._key) if self._key is not None else None
        if isinstance(known, TrainingNeeds):
            found = check(view, settings, manifest, self._taken, self._disk(), known)
        elif isinstance(known, Finding):
            found.insert(0, known)
        ready = isinstance(known, TrainingNeeds) and not any(finding.blocking for finding in found)
        self._ui.startTrainingButton.enabled = ready
        self._ui.saveConfigurationButton.enabled = view is not None and manifest is not None
        self._ui.trainingReadinessLabel.text = "<br>".join(finding_line(finding) for finding in found)
        self._ui.trainingReadinessLabel.visible = bool(found)
        self._show_estimate(known)
        if self._key is not None and known is None:
            if self._asked != self._key:
                self._drop()
                self._timer.start()
        else:
            self._drop()

    def close(self) -> None:
        """End an estimate that is being made."""
        self._drop()

    def forget(self, failures_only: bool = False) -> None:
        """The memory that is free, or the data, may be others now: estimate again; or only what could not be."""
        self._known = {k: v for k, v in self._known.items() if failures_only and isinstance(v, TrainingNeeds)}

    def say(self, text: str, level: str = "ok") -> None:
        """What became of a start; empty hides it."""
        self._ui.trainingStartedLabel.text = marked(level, text) if text else ""
        self._ui.trainingStartedLabel.visible = bool(text)

    # Estimate

    def _new_key(self) -> tuple | None:
        """What the estimate depends on."""
        if self._view is None or self._entry is None:
            return None
        s = self._settings
        rows = hash(tuple((row.key, row.used, row.split, row.sequence) for row in self._view.rows))
        network = (s.generator, self._entry.version, s.batch_size, s.device, s.frozen)
        return (*network, s.first_iterations, s.second_iterations, s.sequence, str(self._view.folder), rows)

    def _blocked_data(self, found) -> bool:
        """Whether something blocks that the estimate would only say again (a missing name would not)."""
        harmless = ("NAME", "NAME_TAKEN", "OUT_IN_USE", "DISK_FULL")
        return any(finding.blocking and finding.code not in harmless for finding in found)

    def _on_rested(self) -> None:
        key = self._key
        if key is None or key in self._known:
            return
        self._asked = key
        self._show_estimate(None)
        try:
            parameters = self._specification().parameters
        except MedUSISError as error:
            self._learned(key, _as_finding(error))
            return
        cancel = self._estimate_training(
            parameters,
            lambda summary: self._learned(key, _needs(summary)),
            lambda failure: self._learned(key, _as_finding(failure)),
        )
        if self._asked == key:
            self._cancel = cancel

    def _learned(self, key: tuple, what) -> None:
        if self._asked != key:
            return  # other settings since
        self._asked = self._cancel = None
        self._known[key] = what
        self.refresh(self._settings, self._entry, self._view, self._taken)

    def _drop(self) -> None:
        self._timer.stop()
        self._asked = None
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()

    def _show_estimate(self, known) -> None:
        text = ""
        if isinstance(known, TrainingNeeds):
            text = f"<b>{needs_text(known)}</b>"
        elif self._key is not None and known is None:
            text = _("Checking the data and estimating time and memory...")
        self._ui.trainingEstimateLabel.text = text
        self._ui.trainingEstimateLabel.visible = bool(text)

    def _disk(self) -> tuple[int, int] | None:
        if self._view is None or self._entry is None:
            return None
        place = self._settings.folder
        while not place.exists() and place != place.parent:
            place = place.parent
        try:
            return needed_disk_bytes(self._view, self._entry.size_bytes), shutil.disk_usage(place).free
        except OSError:
            return None

    # Ways out

    def _specification(self):
        return specification(self._settings, self._entry.manifest, self._view.folder / "dataset.json")

    def _on_start(self, _checked: bool = False) -> None:
        try:
            self._settings.folder.mkdir(parents=True, exist_ok=True)
            self.start_asked(self._specification(), self._settings)
        except MedUSISError as error:
            self.failed(error)
        except OSError as error:
            self.failed(
                MedUSISError(
                    ErrorCode.BAD_SETTING,
                    _("the working folder cannot be written ({reason})").format(reason=type(error).__name__),
                    _("choose another working folder"),
                )
            )

    def _on_save(self, _checked: bool = False) -> None:
        path = self._dialogs.save_file(
            _("Save the configuration"), f"{self._settings.name}.yaml", _("Configurations (*.yaml)")
        )
        if path is None:
            return
        path = Path(path) if Path(path).suffix else Path(path).with_suffix(".yaml")
        dataset = self._view.folder / "dataset.json"
        try:
            text = configuration_file(self._settings, self._entry.manifest, dataset, path)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            self.failed(
                MedUSISError(
                    ErrorCode.DISK_FULL,
                    _("the configuration cannot be written ({reason})").format(reason=type(error).__name__),
                    _("choose another place"),
                )
            )
            return
        self.say(_("Saved. On the server: medusis train {file}").format(file=path.name))


def _needs(summary) -> TrainingNeeds:
    return TrainingNeeds(
        int(summary.get("memory_bytes", 0)),
        int(summary.get("free_bytes", 0)),
        float(summary.get("seconds", 0)),
        str(summary.get("device", "")),
    )


def _as_finding(error) -> Finding:
    code = str(getattr(error.code, "value", error.code))
    return Finding(code, error.message, error.hint, True)
