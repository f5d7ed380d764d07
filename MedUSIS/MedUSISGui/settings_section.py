"""The part "Settings": what is not bound to the parameter node by itself, and the devices."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .combo_box import ValueComboBox
from .wording import bytes_text


class SettingsSection:
    """Mode and device; the other widgets are bound by their ``SlicerParameterName``.

    Parameters
    ----------
    ui : widgets of the panel
    find_devices : callable
        ``find_devices(callback, on_error)``: returns at once, later calls ``callback(summary)`` with ``{"devices":
        [{"id", "title", "free_bytes", "total_bytes"}, ...]}``, or ``on_error(failure)``.

    Attributes
    ----------
    changed : Signal
        Without arguments: another mode, another device or new numbers of free memory.
    failed : Signal
        With the ``Failure`` of the search for devices (a broken torch, for instance).
    """

    def __init__(self, ui, find_devices) -> None:
        self._ui = ui
        self._find_devices = find_devices
        self._parameters = None
        self._devices: list[dict] = []
        self._searching = False
        self._searched = False
        self.changed = Signal()
        self.failed = Signal()
        self._mode = ValueComboBox(ui.modeComboBox)
        self._mode.chosen.connect(lambda value: self._store("mode", value))
        self._device = ValueComboBox(ui.deviceComboBox)
        self._device.chosen.connect(lambda value: self._store("device", value))
        ui.deviceRefreshButton.connect("clicked(bool)", lambda _checked=False: self.find_devices())

    def set_parameters(self, parameters) -> None:
        """Use another parameter node, or none."""
        self._parameters = parameters

    def refresh(self, entry, busy: bool = False) -> None:
        """Show the choices.

        Parameters
        ----------
        entry : ShelfEntry or None
            The chosen generator: which modes it allows.
        busy : bool
            Nothing can be changed while something runs.
        """
        parameters = self._parameters
        mode = parameters.mode if parameters is not None else "slice"
        self._mode.fill(_modes(entry, mode), mode)
        self._device.fill(
            self._device_entries(), parameters.device if parameters is not None else "auto", _("{value} (not found)")
        )
        self._ui.settingsCollapsibleButton.enabled = not busy
        self._ui.deviceRefreshButton.enabled = not self._searching
        self._ui.allowCpuCheckBox.enabled = self._device.value not in ("auto", "cpu")

    def find_devices_once(self) -> None:
        """Look for devices, unless that was done before."""
        if not self._searched:
            self.find_devices()

    def find_devices(self) -> None:
        """Look which devices there are; the window stays usable meanwhile."""
        if self._searching:
            return
        self._searching = self._searched = True
        self._ui.deviceRefreshButton.enabled = False
        self._find_devices(self._on_devices, self._on_no_devices)

    @property
    def free_bytes(self) -> int | None:
        """Free memory of the computer, where the volumes lie whatever device is chosen; None when nobody knows."""
        return next((device.get("free_bytes") for device in self._devices if device["id"] == "cpu"), None)

    @property
    def device_entries(self) -> list[tuple[str, str]]:
        """Ids of the devices that were found, and what a person reads; "auto" is the first."""
        return self._device_entries()

    def _on_devices(self, summary) -> None:
        self._searching = False
        self._devices = list(summary.get("devices", ()))
        self.changed()

    def _on_no_devices(self, failure) -> None:
        self._searching = False
        self._ui.deviceRefreshButton.enabled = True
        self.failed(failure)

    def _device_entries(self) -> list[tuple[str, str]]:
        entries = [("auto", _("automatic"))]
        for device in self._devices:
            free = device.get("free_bytes")
            text = device.get("title") or device["id"]
            if free:
                text = _("{device}, {memory} free").format(device=text, memory=bytes_text(free))
            entries.append((device["id"], text))
        if not self._devices:
            entries.append(("cpu", _("CPU")))
        return entries

    def _store(self, name: str, value: str) -> None:
        if self._parameters is not None:
            setattr(self._parameters, name, value)
            self.changed()


def _modes(entry, current: str) -> list[tuple[str, str]]:
    slices = ("slice", _("Slices (fastest)"))
    views = ("three-view", _("Mean of three views"))
    windows = ("window", _("Overlapping windows"))
    manifest = entry.manifest if entry is not None else None
    if manifest is None:
        return [slices, views, windows]
    if manifest.spatial_dims == 3:
        return [(current, _("Overlapping blocks (3D generator)"))]
    return [slices, views, windows] if len(manifest.grid.views) > 1 else [slices, windows]
