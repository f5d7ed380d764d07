"""The row "Keep the engine ready": how long, whether it is there, and how much memory it takes."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from .wording import bytes_text

_KEY = "MedUSIS/EngineMinutes"


class EngineSection:
    """Kept on this computer, not in the scene: how much memory may be held is no property of an image.

    Parameters
    ----------
    ui : widgets of the panel
    engine : MedUSISLib.mrml.kept_engine.KeptEngine
    """

    def __init__(self, ui, engine) -> None:
        from MedUSISLib.mrml.kept_engine import LONGEST_MINUTES

        self._ui = ui
        self._engine = engine
        engine.minutes = _stored_minutes()
        ui.engineMinutesSpinBox.maximum = LONGEST_MINUTES
        ui.engineMinutesSpinBox.value = engine.minutes
        ui.engineMinutesSpinBox.connect("valueChanged(int)", self._on_minutes)
        ui.engineEndButton.connect("clicked(bool)", lambda _checked=False: self.end())
        engine.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say how the engine stands."""
        engine, ui = self._engine, self._ui
        ui.engineEndButton.enabled = engine.running and not engine.busy
        if not engine.running:
            text = _("Not loaded.") if engine.minutes else _("Every run loads it anew.")
        elif engine.busy:
            text = _("Working.")
        elif engine.memory_bytes:
            text = _("Ready; it takes {memory} of memory.").format(memory=bytes_text(engine.memory_bytes))
        else:
            text = _("Ready.")
        ui.engineStateLabel.text = text

    def end(self) -> None:
        """Give its memory back; the next run loads it again."""
        self._engine.end()
        self.refresh()

    def close(self) -> None:
        """The widgets go away."""
        self._engine.changed.disconnect(self.refresh)

    def _on_minutes(self, minutes: int) -> None:
        slicer.app.userSettings().setValue(_KEY, int(minutes))
        self._engine.minutes = int(minutes)
        self.refresh()


def _stored_minutes() -> int:
    from MedUSISLib.mrml.kept_engine import DEFAULT_MINUTES

    try:
        return int(slicer.app.userSettings().value(_KEY, DEFAULT_MINUTES))
    except (TypeError, ValueError):  # somebody else's writing
        return DEFAULT_MINUTES
