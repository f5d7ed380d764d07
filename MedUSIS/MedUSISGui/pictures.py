"""A picture in a label that is as wide as the panel and never forces it to be wider."""

from __future__ import annotations

from pathlib import Path

import qt

from .call_later import call_later

_NARROWEST = 340  # a label that was not shown yet does not know how wide it will be
_WIDEST = 400
_HIGHEST = 260


class PictureLabel:
    """Shows a picture file, scaled down to fit; hidden without one.

    Parameters
    ----------
    label : QLabel
        Its horizontal size policy is "Ignored".
    highest : int
        In pixels.
    """

    def __init__(self, label, highest: int = _HIGHEST) -> None:
        self._label = label
        self._highest = highest
        self._pixels = None
        self._width = 0
        self.show(None)

    def show(self, path: Path | str | None) -> bool:
        """Show this picture; False when there is none or it cannot be read (yet)."""
        pixels = qt.QPixmap(str(path)) if path is not None else None
        if pixels is None or pixels.isNull():
            if path is None:
                self._pixels = None
                self._label.clear()
                self._label.visible = False
            return False
        self._label.visible = True
        self._pixels = pixels
        self._fit(max(_NARROWEST, self._label.width - 4))
        call_later(self._label, 0, self.refit)  # what was hidden does not know its width yet
        return True

    def refit(self) -> None:
        """Scale it again when the label has become wider or narrower since."""
        width = self._label.width - 4
        if self._pixels is not None and self._label.isVisible() and width > 0 and width != self._width:
            self._fit(width)

    def _fit(self, width: int) -> None:
        self._width = width
        size = min(_WIDEST, width)
        fitted = self._pixels.scaled(size, self._highest, qt.Qt.KeepAspectRatio, qt.Qt.SmoothTransformation)
        self._label.setPixmap(fitted)
        self._label.setFixedHeight(fitted.height() + 4)
