"""Labels of the ``head`` schema from the network's scores and the intensities at full resolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.imaging.conform import conform, restore
from MedUSISLib.imaging.crop import crop_to_box
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.segmentation.hu_rules import brain_reference_hu, hu_penalty, smoothed_brain_hu
from MedUSISLib.segmentation.intensity_rules import class_brightness

_BRAIN = ("cortex", "white_matter", "deep_grey", "cerebellum", "brainstem")
#: T1-weighted fat is brighter than muscle; on the scale on which white matter is 0.7.
T1_FAT = 0.68
#: The array is worked through in slabs of so many planes, so that only slabs are ever held in float.
_SLAB = 24
_MARGIN = 4

#: What the intensities of a slab say against a class: name of the class to penalty.
Penalties = Callable[[str], np.ndarray | float]


def _slabs(volume: Volume) -> Iterator[tuple[slice, Volume, slice]]:
    """Planes of the output, the part of the volume to look at for them (with a margin), and their place in it."""
    planes = volume.array_kji.shape[0]
    for first in range(0, planes, _SLAB):
        last = min(first + _SLAB, planes)
        low, high = max(0, first - _MARGIN), min(planes, last + _MARGIN)
        part = crop_to_box(volume, (slice(low, high), slice(None), slice(None)))
        yield slice(first, last), part, slice(first - low, last - low)


def _best_classes(scores: Volume, target: Geometry, schema: LabelSchema, sources: dict[str, int], penalties: Penalties):
    """The class with the highest score minus penalty at every voxel of the target; one class in memory at a time."""
    best = np.full(target.shape_kji, -np.inf, np.float32)
    labels = np.zeros(target.shape_kji, np.uint8)
    for name, source in sources.items():
        one = Volume(scores.meta["scores"][source], scores.geometry)
        score = restore(one, target, "linear", fill=-20.0, dtype=np.float32).array_kji
        score -= penalties(name)
        labels[score > best] = schema.index_of(name)
        np.maximum(best, score, out=best)
    return labels


def _largest_component(mask: np.ndarray) -> np.ndarray:
    components, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return components == 1 + int(np.argmax(np.bincount(components.reshape(-1))[1:]))


def _without_stray_brain(labels: np.ndarray, schema: LabelSchema) -> None:
    """Brain is one piece: what the network finds of it in the neck or behind the nose becomes soft tissue."""
    brain = np.isin(labels, [schema.index_of(name) for name in _BRAIN])
    if brain.any():
        labels[brain & ~_largest_component(brain)] = schema.index_of("soft_tissue")


def _reference_hu(scores: Volume, ct: Volume, schema: LabelSchema) -> float:
    """Median CT number of the brain that the network sees, measured on the network's own, coarser grid."""
    answer = scores.meta["scores"].argmax(0)
    brain = np.isin(answer, [schema.index_of(name) for name in ("cortex", "white_matter", "deep_grey")])
    on_grid = conform(ct, scores.geometry, "linear", fill=-1024.0)
    return brain_reference_hu(smoothed_brain_hu(on_grid.array_kji, on_grid.geometry), brain)


def ct_labels(scores: Volume, ct: Volume, body: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """Class indices on the CT's grid.

    Every class's score is brought to the CT's own voxels and lowered by what the CT number says against the class;
    the best one wins. Fat shares the network's score for soft tissue and is told apart by HU.

    Parameters
    ----------
    scores : Volume
        From ``network_scores.class_scores``.
    ct : Volume
        In HU.
    body : bool array [k, j, i]
        On the CT's grid, cavities filled; outside everything is background.

    Returns
    -------
    ndarray of uint8, shape of the CT
    """
    classes = scores.meta["scores"].shape[0]
    sources = {name: schema.index_of(name) for name in schema.names[1:classes]}
    sources["fat"] = schema.index_of("soft_tissue")
    reference = _reference_hu(scores, ct, schema)
    labels = np.zeros(ct.array_kji.shape, np.uint8)
    for planes, part, inner in _slabs(ct):
        if not body[planes].any():
            continue
        hu, smoothed = part.array_kji, smoothed_brain_hu(part.array_kji, part.geometry)

        def penalties(name: str, hu: np.ndarray = hu, smoothed: np.ndarray = smoothed) -> np.ndarray:
            return hu_penalty(name, hu, smoothed, reference)

        labels[planes] = _best_classes(scores, part.geometry, schema, sources, penalties)[inner]
    labels[~body] = schema.index_of("background")
    _without_stray_brain(labels, schema)
    return labels


def mr_labels(scores: Volume, mr: Volume, schema: LabelSchema) -> np.ndarray:
    """Class indices on a T1's own grid.

    Two rounds: the network's answer tells how bright each part of the brain is in this image, and that moves the
    borders between fluid, grey and white matter to where the image has them. Fat is told from other soft tissue by
    its brightness.

    Parameters
    ----------
    scores : Volume
        From ``network_scores.class_scores``.
    mr : Volume
        Bias field removed.

    Returns
    -------
    ndarray of uint8, shape of the MR
    """
    classes = scores.meta["scores"].shape[0]
    sources = {name: schema.index_of(name) for name in schema.names[:classes] if name != "fat"}
    on_grid = conform(mr, scores.geometry, "linear", fill=0.0)
    first = scores.meta["scores"].argmax(0)
    brightness = class_brightness(on_grid.array_kji, first, schema)
    labels = np.zeros(mr.array_kji.shape, np.uint8)
    for planes, part, inner in _slabs(mr):
        values = part.array_kji.astype(np.float32)

        def penalties(name: str, values: np.ndarray = values) -> np.ndarray | float:
            return brightness[name].penalty(values) if name in brightness else 0.0

        labels[planes] = _best_classes(scores, part.geometry, schema, sources, penalties)[inner]
    labels[~_largest_component(labels > 0)] = schema.index_of("background")  # ghosts and noise beside the head
    _without_stray_brain(labels, schema)
    white = mr.array_kji[labels == schema.index_of("white_matter")]
    if white.size:
        soft = labels == schema.index_of("soft_tissue")
        bright = mr.array_kji > T1_FAT / 0.7 * float(np.median(white))
        labels[soft & bright] = schema.index_of("fat")
    return labels
