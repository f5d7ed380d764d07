"""A small picture of a case: three planes through the middle of the body, with the outlines of the labels."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.synthesis.report_views import Box, Plane, planes

SIDE = 168
_GAP = 4
_CT_WINDOW_HU = (-160.0, 240.0)
_QUALITY = 82
_MARGIN_MM = 10.0
_TAIL = 0.002
# Colours of labels without a class: the golden angle keeps neighbours apart.
_GOLDEN = 0.61803398875


def shrunk(volume: Volume, largest: int = 256) -> Volume:
    """Every n-th voxel, so that no side has more than ``largest``; voxel 0 stays where it is."""
    steps = [-(-n // largest) for n in volume.geometry.size_ijk]
    if max(steps) == 1:
        return volume
    i, j, k = steps
    array = np.ascontiguousarray(volume.array_kji[::k, ::j, ::i])
    spacing = tuple(s * step for s, step in zip(volume.geometry.spacing_mm, steps, strict=True))
    depth, rows, columns = array.shape
    geometry = Geometry(
        (columns, rows, depth),
        (spacing[0], spacing[1], spacing[2]),
        volume.geometry.origin_lps_mm,
        volume.geometry.direction,
    )
    return Volume(array, geometry, volume.meta)


def thumbnail(
    image: Volume | None, is_ct: bool, labels: np.ndarray | None, geometry: Geometry, colors: Mapping[int, tuple]
) -> bytes:
    """A JPEG of axial, coronal and sagittal plane side by side.

    Parameters
    ----------
    image : Volume, optional
        On ``geometry``; without one the labels are painted instead.
    is_ct : bool
        Soft tissue window; an MR from its 1st to its 99.5th percentile.
    labels : integer array [k, j, i], optional
        On ``geometry``.
    colors : mapping from label value to (red, green, blue)
    """
    array = image.array_kji if image is not None else labels
    assert array is not None
    low, high = _window(array, is_ct) if image is not None else (0.0, 1.0)
    centre, box = _centre_and_box(array, low + 0.3 * (high - low), labels, geometry)
    # One scale for all three, so that heights and widths can be compared.
    extent = max((b.stop - b.start) * geometry.spacing_mm[2 - axis] for axis, b in enumerate(box))
    strip = np.zeros((SIDE, 3 * SIDE + 2 * _GAP, 3), np.uint8)
    for number, plane in enumerate(planes(geometry)):
        index = centre[plane.normal]
        label_slice = _fitted(plane.cut(labels, index, box), plane, extent, True) if labels is not None else None
        if image is not None:
            grey = _fitted(plane.cut(array, index, box).astype(np.float32), plane, extent, False)
            tile = np.repeat(_grey(grey, low, high)[..., None], 3, axis=2)
            if label_slice is not None:
                _draw_outlines(tile, label_slice, colors)
        else:
            assert label_slice is not None
            tile = _painted(label_slice, colors)
        top, left = (SIDE - tile.shape[0]) // 2, number * (SIDE + _GAP) + (SIDE - tile.shape[1]) // 2
        strip[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return _jpeg(strip)


def color_of(value: int, colors: Mapping[int, tuple]) -> tuple[int, int, int]:
    """Of a class where it is known, else one that is made from the value."""
    if value in colors:
        red, green, blue = colors[value]
        return int(red), int(green), int(blue)
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb((value * _GOLDEN) % 1.0, 0.75, 1.0)
    return int(255 * red), int(255 * green), int(255 * blue)


def _window(array: np.ndarray, is_ct: bool) -> tuple[float, float]:
    if is_ct:
        return _CT_WINDOW_HU
    sample = array[:: max(1, array.shape[0] // 64), ::2, ::2]
    sample = sample[sample != sample.reshape(-1)[0]]
    if sample.size == 0:
        return float(array.min()), float(array.max()) + 1e-6
    low, high = np.percentile(sample, (1, 99.5))
    return float(low), float(max(high, low + 1e-6))


def _centre_and_box(
    array: np.ndarray, threshold: float, labels: np.ndarray | None, geometry: Geometry
) -> tuple[tuple[int, int, int], Box]:
    """Where to cut (median of what is labelled, else of what is bright), and the part of the grid that shows anything.

    The box leaves out the outermost 0.2 % of what is bright: noise and couch would keep it at the whole grid.
    """
    bright = array > threshold
    wanted = labels != 0 if labels is not None and labels.any() else bright
    shown = bright | wanted
    centre, box = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        size = array.shape[axis]
        counts, extent = np.cumsum(wanted.sum(axis=others)), np.cumsum(shown.sum(axis=others))
        if counts[-1] == 0 or extent[-1] == 0:
            centre.append(size // 2)
            box.append(slice(0, size))
            continue
        centre.append(int(np.searchsorted(counts, counts[-1] / 2)))
        margin = round(_MARGIN_MM / geometry.spacing_mm[2 - axis])
        first, last = np.searchsorted(extent, (_TAIL * extent[-1], (1 - _TAIL) * extent[-1]))
        box.append(slice(max(0, int(first) - margin), min(size, int(last) + margin + 1)))
    return (centre[0], centre[1], centre[2]), (box[0], box[1], box[2])


def _fitted(picture: np.ndarray, plane: Plane, extent_mm: float, nearest: bool) -> np.ndarray:
    """The slice at its true proportions, ``SIDE`` pixels for ``extent_mm``."""
    height = picture.shape[0] * plane.pixel_mm[0]
    width = picture.shape[1] * plane.pixel_mm[1]
    scale = SIDE / extent_mm
    rows, columns = (min(SIDE, max(1, round(side * scale))) for side in (height, width))
    y = (np.arange(rows) + 0.5) * picture.shape[0] / rows - 0.5
    x = (np.arange(columns) + 0.5) * picture.shape[1] / columns - 0.5
    if nearest:
        return picture[np.ix_(np.rint(y).astype(int), np.rint(x).astype(int))]
    from scipy.ndimage import map_coordinates, uniform_filter

    # Averaged first where many voxels fall on one pixel: noise would look like texture.
    size = [max(1, round(picture.shape[0] / rows)), max(1, round(picture.shape[1] / columns))]
    smooth = uniform_filter(picture, size) if max(size) > 1 else picture
    return map_coordinates(smooth, np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest")


def _grey(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    return (np.clip((picture - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _lookup(values: np.ndarray, colors: Mapping[int, tuple]) -> np.ndarray:
    different, inverse = np.unique(values, return_inverse=True)
    table = np.array([color_of(int(v), colors) if v else (0, 0, 0) for v in different], np.uint8)
    return table[inverse.reshape(values.shape)]


def _painted(labels: np.ndarray, colors: Mapping[int, tuple]) -> np.ndarray:
    return _lookup(labels, colors)


def _draw_outlines(tile: np.ndarray, labels: np.ndarray, colors: Mapping[int, tuple]) -> None:
    """Pixels of a label beside another one, in the label's colour."""
    edge = np.zeros(labels.shape, bool)
    edge[:-1] |= labels[:-1] != labels[1:]
    edge[1:] |= labels[:-1] != labels[1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:, 1:] |= labels[:, :-1] != labels[:, 1:]
    edge &= labels != 0
    tile[edge] = _lookup(labels, colors)[edge]


def _jpeg(picture: np.ndarray) -> bytes:
    from matplotlib.image import imsave

    stream = io.BytesIO()
    imsave(stream, picture, format="jpg", pil_kwargs={"quality": _QUALITY, "optimize": True})
    return stream.getvalue()
