"""Mean intensity of every class, and how far a synthetic MR's class means are from the real ones.

This is the table that shows a swap of two tissues (scalp drawn on the bone labels, say), which pictures and
re-segmentation hide: a segmentator that was trained together with its generator is content with any one-to-one swap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema

_CHUNK = 1 << 20  # voxels at a time: bincount works in float64, and a 512x512x400 volume would need 800 MB more


@dataclass(frozen=True)
class ClassRow:
    """Intensity statistics of one class; ``mean`` and ``std`` are ``None`` where the class has no voxel."""

    index: int
    name: str
    title: str
    count: int
    mean: float | None
    std: float | None

    def as_dict(self) -> dict[str, object]:
        """The row as plain numbers and strings, for JSON."""
        return asdict(self)


def class_table(image: np.ndarray, labels: np.ndarray, schema: LabelSchema) -> list[ClassRow]:
    """Count, mean and standard deviation of the intensity inside every class of a schema.

    Parameters
    ----------
    image : ndarray of float
        Intensities, any shape, in the generator's unit (head T1: white matter = 0.7).
    labels : ndarray of int
        Class indices of the schema, same shape. Indices outside the schema are left out.
    schema : LabelSchema
        Says which index is which class.

    Returns
    -------
    list of ClassRow
        One row per class in the schema's order, empty classes included (count 0).

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> rows = class_table(np.array([0.0, 0.7, 0.9]), np.array([0, 9, 9]), load_schema("head"))
    >>> rows[9].name, rows[9].count, round(rows[9].mean, 3)
    ('white_matter', 2, 0.8)
    """
    image, labels = np.asarray(image), np.asarray(labels)
    if image.shape != labels.shape:
        raise ValueError(f"image and labels must have the same shape, not {image.shape} and {labels.shape}")
    size = max(c.index for c in schema.classes) + 1
    counts = np.zeros(size, np.int64)
    means = np.zeros(size)
    squares = np.zeros(size)  # sum of squared deviations from the mean
    for values, indices in _chunks(image, labels):
        known = (indices >= 0) & (indices < size) & np.isfinite(values)
        values, indices = values[known].astype(np.float64), indices[known].astype(np.intp)
        n = np.bincount(indices, minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(n > 0, np.bincount(indices, values, size) / n, 0.0)
        square = np.bincount(indices, (values - mean[indices]) ** 2, size)
        total = counts + n
        shift, share = mean - means, n / np.maximum(total, 1)  # Chan's pairwise update: no cancellation
        squares += square + shift**2 * counts * share
        means += shift * share
        counts = total
    return [
        ClassRow(
            index=c.index,
            name=c.name,
            title=c.title,
            count=int(counts[c.index]),
            mean=float(means[c.index]) if counts[c.index] else None,
            std=float(np.sqrt(squares[c.index] / counts[c.index])) if counts[c.index] else None,
        )
        for c in schema.classes
    ]


def compare_class_means(
    rows_real: Sequence[ClassRow],
    rows_synthetic: Sequence[ClassRow],
    minimum_voxels: int = 200,
    ignore: Sequence[str] = ("background",),
) -> dict[str, object]:
    """Distance between the class means of synthetic and real images: the figures of a training report.

    Parameters
    ----------
    rows_real, rows_synthetic : sequence of ClassRow
        Tables of the same schema; rows are paired by class name. Different people may be behind the two.
    minimum_voxels : int
        A class counts only when both tables have at least so many voxels of it.
    ignore : sequence of str
        Classes left out. Background is zero in both and would lift the correlation for nothing.

    Returns
    -------
    dict
        ``mean_error``: mean of |synthetic mean - real mean| over the classes, unweighted, in intensity units;
        ``correlation``: Pearson's r of the means over the classes (``None`` for fewer than three classes or constant
        means); ``largest_error`` and its ``worst_class``; ``number_of_classes``; ``errors``: signed error by name.

    Examples
    --------
    >>> real = [ClassRow(i, n, n, 500, m, 0.1) for i, (n, m) in enumerate({"a": 0.1, "b": 0.5, "c": 0.7}.items())]
    >>> made = [ClassRow(i, n, n, 500, m, 0.1) for i, (n, m) in enumerate({"a": 0.2, "b": 0.5, "c": 0.7}.items())]
    >>> result = compare_class_means(real, made)
    >>> round(result["mean_error"], 4), result["worst_class"], round(result["correlation"], 3)
    (0.0333, 'a', 0.997)
    """
    by_name = {row.name: row for row in rows_synthetic}
    errors: dict[str, float] = {}
    pairs: list[tuple[float, float]] = []
    for real in rows_real:
        made = by_name.get(real.name)
        if made is None or real.name in ignore or min(real.count, made.count) < max(minimum_voxels, 1):
            continue
        if real.mean is None or made.mean is None:
            continue
        errors[real.name] = made.mean - real.mean
        pairs.append((real.mean, made.mean))
    worst = max(errors, key=lambda name: abs(errors[name])) if errors else None
    return {
        "mean_error": float(np.mean([abs(e) for e in errors.values()])) if errors else None,
        "correlation": _correlation(pairs),
        "largest_error": abs(errors[worst]) if worst else None,
        "worst_class": worst,
        "number_of_classes": len(errors),
        "errors": errors,
    }


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < 3:
        return None
    real, made = np.array(pairs).T
    if np.ptp(real) < 1e-12 or np.ptp(made) < 1e-12:
        return None
    return float(np.corrcoef(real, made)[0, 1])


def _chunks(image: np.ndarray, labels: np.ndarray):
    if image.size <= _CHUNK or image.ndim < 2:
        yield image.ravel(), labels.ravel()
        return
    step = max(1, _CHUNK // max(1, image[0].size))
    for start in range(0, image.shape[0], step):
        yield image[start : start + step].ravel(), labels[start : start + step].ravel()
