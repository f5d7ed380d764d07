"""The contrast of a reading's images: the protocol's presets, and the same contrast in all images of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from MedUSISLib.mrml.colors import uncertainty_colors

if TYPE_CHECKING:
    from MedUSISLib.study.protocol import WindowPreset

GREY_LEVELS = 255.0
"""Trials other than CTs are 8-bit."""

Presets = Sequence["WindowPreset"]


def kind_of(place: str) -> str:
    """Kind of the image that is shown at a place of a trial: "ct", "map", else "mr"."""
    return place if place in ("ct", "map") else "mr"


def preset_range(preset: WindowPreset) -> tuple[float, float]:
    """Values that are black and white: HU as they are, percent as parts of the grey scale."""
    if preset.image == "ct":
        return preset.low, preset.high
    return preset.low / 100.0 * GREY_LEVELS, preset.high / 100.0 * GREY_LEVELS


def first_range(kind: str, presets: Presets) -> tuple[float, float]:
    """What an image opens with: the first preset of its kind."""
    for preset in presets:
        if preset.image == kind:
            return preset_range(preset)
    return (0.0, 80.0) if kind == "ct" else (0.0, GREY_LEVELS)


class TrialWindows:
    """Contrast of the volumes on the screen; what the mouse changes in one is followed by the others of its kind.

    Parameters
    ----------
    presets : sequence of WindowPreset
    """

    def __init__(self, presets: Presets) -> None:
        self._presets = presets
        self._shown: list[tuple[str, Any]] = []
        self._tags: list[tuple[Any, int]] = []
        self._following = False

    def show(self, volumes: Sequence[tuple[str, Any]]) -> None:
        """These volumes are on the screen now, each with its place; each gets the first contrast of its kind."""
        import vtk

        self.clear()
        self._shown = [(kind_of(place), volume) for place, volume in volumes]
        for kind, volume in self._shown:
            display = volume.GetDisplayNode()
            if kind == "map":
                display.SetAndObserveColorNodeID(uncertainty_colors(volume.GetScene()).GetID())
            _set_range(display, first_range(kind, self._presets))
            self._tags.append((display, display.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)))

    def available(self) -> list[WindowPreset]:
        """The presets of the kinds of images that are on the screen."""
        kinds = {kind for kind, _ in self._shown}
        return [preset for preset in self._presets if preset.image in kinds]

    def apply(self, preset: WindowPreset) -> None:
        """Show all images of the preset's kind with it."""
        for kind, volume in self._shown:
            if kind == preset.image:
                _set_range(volume.GetDisplayNode(), preset_range(preset))

    def clear(self) -> None:
        """Nothing is on the screen any more."""
        for display, tag in self._tags:
            display.RemoveObserver(tag)
        self._tags = []
        self._shown = []

    def forget(self) -> None:
        """The scene was closed: the nodes are gone already."""
        self._tags, self._shown = [], []

    def _follow(self, caller: Any, _event: str) -> None:
        if self._following:
            return
        self._following = True
        try:
            kind = next(kind for kind, volume in self._shown if volume.GetDisplayNode() is caller)
            low, high = caller.GetWindowLevelMin(), caller.GetWindowLevelMax()
            for other, volume in self._shown:
                display = volume.GetDisplayNode()
                if other == kind and display is not caller:
                    _set_range(display, (low, high))
        finally:
            self._following = False


def _set_range(display: Any, limits: tuple[float, float]) -> None:
    if (display.GetWindowLevelMin(), display.GetWindowLevelMax()) != limits:
        display.SetWindowLevelMinMax(*limits)
