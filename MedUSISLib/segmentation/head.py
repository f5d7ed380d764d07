"""Labels of the ``head`` schema from the network's scores and the intensities at full resolution."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.imaging.conform import restore
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.segmentation.hu_rules import brain_reference_hu, hu_penalty, smoothed_brain_hu

_BRAIN = ("cortex", "white_matter", "deep_grey", "cerebellum", "brainstem")
#: T1-weighted fat is brighter than muscle; on the scale on which white matter is 0.7.
_FAT_T1 = 0.68


def _one_class(scores: Volume, index: int, target: Geometry) -> np.ndarray:
    one = Volume(scores.meta["scores"][index].astype(np.float32), scores.geometry)
    return restore(one, target, "linear", fill=-20.0).array_kji


def _largest_component(mask: np.ndarray) -> np.ndarray:
    components, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return components == 1 + int(np.argmax(np.bincount(components.reshape(-1))[1:]))


def _without_stray_brain(labels: np.ndarray, schema: LabelSchema, instead: str) -> None:
    """Brain is one piece: what the network finds of it in the neck or behind the nose becomes soft tissue."""
    brain = np.isin(labels, [schema.index_of(name) for name in _BRAIN])
    stray = brain & ~_largest_component(brain)
    labels[stray] = schema.index_of(instead)


def ct_labels(scores: Volume, ct: Volume, body: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """Class indices on the CT's grid.

    Every class's score is brought to the CT's own voxels, one class at a time, and lowered by what the CT number
    says against it; the best one wins. Fat shares the network's score for soft tissue and is told apart by HU.

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
    hu = ct.array_kji
    smoothed = smoothed_brain_hu(hu, ct.geometry)
    network_classes = scores.meta["scores"].shape[0]
    on_grid = scores.meta["scores"].argmax(0).astype(np.uint8)
    nearest = restore(Volume(on_grid, scores.geometry), ct.geometry, "nearest").array_kji
    brain = np.isin(nearest, [schema.index_of(name) for name in ("cortex", "white_matter", "deep_grey")])
    reference = brain_reference_hu(smoothed, brain)
    best = np.full(hu.shape, -np.inf, np.float32)
    labels = np.zeros(hu.shape, np.uint8)
    soft = schema.index_of("soft_tissue")
    for name in schema.names:
        index = schema.index_of(name)
        source = soft if name == "fat" else index
        if name in ("background", "brain") or source >= network_classes:
            continue
        score = _one_class(scores, source, ct.geometry)
        score -= hu_penalty(name, hu, smoothed, reference)
        better = score > best
        labels[better] = index
        np.maximum(best, score, out=best)
    labels[~body] = schema.index_of("background")
    _without_stray_brain(labels, schema, "soft_tissue")
    return labels


def mr_labels(scores: Volume, mr: Volume, schema: LabelSchema) -> np.ndarray:
    """Class indices on a T1's own grid; fat is told from other soft tissue by its brightness.

    Returns
    -------
    ndarray of uint8, shape of the MR
    """
    best = np.full(mr.array_kji.shape, -np.inf, np.float32)
    labels = np.zeros(mr.array_kji.shape, np.uint8)
    for index in range(scores.meta["scores"].shape[0]):
        if schema.names[index] in ("fat", "brain"):
            continue
        score = _one_class(scores, index, mr.geometry)
        labels[score > best] = index
        np.maximum(best, score, out=best)
    _without_stray_brain(labels, schema, "soft_tissue")
    white = mr.array_kji[labels == schema.index_of("white_matter")]
    if white.size:
        soft = labels == schema.index_of("soft_tissue")
        bright = mr.array_kji.astype(np.float32) * (0.7 / max(float(np.median(white)), 1e-6)) > _FAT_T1
        labels[soft & bright] = schema.index_of("fat")
    return labels
