"""Below the answers: which slice is shown, the directions, and the contrasts of the protocol."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.mrml import reading_views

from . import dark

_PLANES = (("axial", "Axial", "A"), ("coronal", "Coronal", "C"), ("sagittal", "Sagittal", "S"))
_PAGE = 5


class ViewTools:
    """What the reader does with the images of a trial.

    Parameters
    ----------
    ui : widgets of the room
    display : MedUSISLib.study.protocol.Display
    windows : MedUSISLib.mrml.reading_windows.TrialWindows
    """

    def __init__(self, ui, display, windows) -> None:
        self._ui = ui
        self._display = display
        self._windows = windows
        self._views: list = []
        self._volume = None
        self._tag = None
        self._plane = display.plane
        self._presets: list = []
        self._preset = 0
        self._plane_buttons = {}
        self._preset_buttons: list = []
        dark.set_size(ui.sliceLabel, dark.POINT_SIZE)
        for plane, text, key in _PLANES:
            button = qt.QPushButton(f"{_(text)} [{key}]")
            button.checkable = True
            button.connect("clicked(bool)", lambda _on=False, plane=plane: self.set_plane(plane))
            ui.planesFrame.layout().addWidget(button)
            self._plane_buttons[plane] = button

    @property
    def keys(self) -> dict:
        """Keys of this part."""
        steps = {"Up": 1, "Down": -1, "Space": 1, "Shift+Space": -1, "PgUp": _PAGE, "PgDown": -_PAGE}
        keys = {key: (lambda steps=steps: self.scroll(steps)) for key, steps in steps.items()}
        keys.update({key: (lambda plane=plane: self.set_plane(plane)) for plane, _text, key in _PLANES})
        keys.update({"W": self.next_preset, "R": self.fit})
        return keys

    def show(self, views, volume) -> None:
        """These views show a trial now."""
        import vtk

        self.clear()
        self._views, self._volume, self._plane = list(views), volume, self._display.plane
        self._ui.planesFrame.visible = self._scrolls
        self._tag = (views[0], views[0].AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_view_changed))
        self._fill_presets()
        self._refresh()

    def clear(self) -> None:
        """Nothing is shown."""
        if self._tag is not None:
            self._tag[0].RemoveObserver(self._tag[1])
        self._views, self._volume, self._tag = [], None, None

    def scroll(self, steps: int) -> None:
        """Move by some slices."""
        if self._views and self._scrolls:
            reading_views.scroll(self._views, self._volume, steps)

    def set_plane(self, plane: str) -> None:
        """Turn the images."""
        if self._views and self._scrolls:
            self._plane = plane
            reading_views.set_plane(self._views, plane, reading_views.crosshair_place(self._views[0]))
        self._refresh()

    def fit(self) -> None:
        """The whole images again."""
        if self._views:
            reading_views.fit(self._views)

    def look_at(self, place) -> None:
        """Bring a place (RAS, mm) into sight."""
        if self._views:
            reading_views.look_at(self._views, place)

    def crosshair(self):
        """The place (RAS, mm) of the crosshair in the slice that is shown; None without a trial."""
        return reading_views.crosshair_place(self._views[0]) if self._views else None

    def next_preset(self) -> None:
        """The next contrast of the protocol."""
        if self._presets and self._display.change_window:
            self._apply((self._preset + 1) % len(self._presets))

    @property
    def _scrolls(self) -> bool:
        return self._display.mode == "volume"

    def _fill_presets(self) -> None:
        layout = self._ui.presetsFrame.layout()
        for button in self._preset_buttons:
            layout.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._presets = self._windows.available() if self._display.change_window else []
        self._preset_buttons = []
        for index, preset in enumerate(self._presets):
            kinds = {preset.image for preset in self._presets}
            name = f"{preset.image.upper()} {preset.name}" if len(kinds) > 1 else preset.name
            button = qt.QPushButton(name)
            button.connect("clicked(bool)", lambda _on=False, index=index: self._apply(index))
            layout.addWidget(button)
            self._preset_buttons.append(button)
        self._preset = 0
        self._ui.presetsFrame.visible = len(self._presets) > 1

    def _apply(self, index: int) -> None:
        self._preset = index
        self._windows.apply(self._presets[index])

    def _on_view_changed(self, _caller, _event) -> None:
        self._refresh()

    def _refresh(self) -> None:
        for plane, button in self._plane_buttons.items():
            dark.show_chosen(button, plane == self._plane)
        if self._volume is None or not self._scrolls:
            self._ui.sliceLabel.text = ""
            return
        view = self._views[0]
        number = reading_views.slice_number(view, self._volume)
        count = reading_views.slice_count(view, self._volume)
        self._ui.sliceLabel.text = _("Slice {number} of {count}").format(number=number, count=count)
