"""A real head T1 made ready for training: 1 mm in the plane, bias removed, labelled, white matter at 0.7."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.bias_field import n4
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.training.data_configuration import ImageSource, LabelSource
from MedUSISLib.training.t1_scaling import CLIP, scaled_by_white_matter

_VERSION = 3


@dataclass(frozen=True)
class Case:
    """One person's slices, ready to be drawn from.

    Attributes
    ----------
    person : str
    labels_kji : ndarray of uint8, shape (K, J, I)
        Class indices; i to the left, j to the back, k to the head; 1 mm in the plane.
    image_kji : ndarray of float16 or None
        MR in [0, 1.2], same shape.
    thickness_mm : float
        Distance of the slices.
    acquired_mm : float or None
        Distance of the slices in the file, where they were put onto a finer or coarser grid since.
    lesions_kji : ndarray of uint8 or None
        1 in lesions, same shape.
    """

    person: str
    labels_kji: np.ndarray
    image_kji: np.ndarray | None
    thickness_mm: float
    acquired_mm: float | None = None
    lesions_kji: np.ndarray | None = None

    def slice_shape(self, axis: int) -> tuple[int, ...]:
        """Rows and columns of a slice across this axis of the arrays."""
        return tuple(n for other, n in enumerate(self.labels_kji.shape) if other != axis)


def _bytes(path: Path, role: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, f"{role} cannot be read", "is the file where the configuration says?", path
        ) from None


def _content_key(*parts: bytes | str) -> str:
    digest = hashlib.sha256(f"v{_VERSION}".encode())
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    return digest.hexdigest()[:20]


def _meaning(mapping: str | None, schema: LabelSchema) -> str:
    """What label values become: an edited table or schema makes the prepared case another one."""
    table = "" if mapping is None else repr(load_mapping(mapping, schema).entries)
    return schema.model_dump_json() + table


def _from_head_seg(labels: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """Class indices of `head-seg`, which answers in the head schema, as those of the same classes in another."""
    head = load_schema("head")
    if schema.names == head.names:
        return labels
    table = np.zeros(head.number_of_classes, np.uint8)
    for label in head.classes:
        name: str | None = label.name
        while name is not None and name not in schema:
            name = head.class_named(name).merges_into
        if name is None and (labels == label.index).any():
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"head-seg labels '{label.name}', which the label schema '{schema.id}' lacks",
                "give a label map for each image, or add the class to the schema",
            )
        table[label.index] = 0 if name is None else schema.index_of(name)
    return table[labels]


def _network_hash() -> str:
    """Of the weights alone: a corrected model card is no reason to label everything again."""
    from MedUSISLib.generators.bundle import load_bundle
    from MedUSISLib.segmentation.segment import HEAD_SEG

    return "".join(hash for name, hash in load_bundle(HEAD_SEG).manifest.files.items() if name.startswith("weights"))


def _cached(cache: Path, key: str) -> dict[str, np.ndarray] | None:
    path = cache / f"case-{key}.npz"
    if not path.is_file():
        return None
    with np.load(path) as data:
        return dict(data)


def _remember(cache: Path, key: str, **arrays: np.ndarray) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    temporary = cache / f"case-{key}.tmp.npz"
    np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]  # numpy's stub takes only its own keywords
    temporary.replace(cache / f"case-{key}.npz")


def _box(mask: np.ndarray, margin: int = 2) -> tuple[slice, ...]:
    found = np.argwhere(mask)
    low, high = np.maximum(found.min(0) - margin, 0), found.max(0) + margin + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def prepare_image(source: ImageSource, schema: LabelSchema, cache: Path, progress: Progress) -> Case:
    """Read, correct, label and scale one T1; remembered by the content of its files.

    Parameters
    ----------
    source : ImageSource
    schema : LabelSchema
    cache : Path
        Folder for prepared cases; holds patient data.

    Notes
    -----
    An image without labels of its own is labelled by `head-seg` also for unpaired training: without white matter it
    could not be scaled.
    """
    from MedUSISLib.segmentation.segment import mr_head_mask, segment_volume

    own = _bytes(source.labels, "a training label map") if source.labels else b""
    network = _network_hash() if source.labels is None else ""
    meaning = _meaning(source.mapping if source.labels else None, schema)
    key = _content_key(_bytes(source.image, "a training MR"), own, meaning, network)
    stored = _cached(cache, key)
    if stored is None:
        mr = read_volume(source.image, role="a training MR")
        head = mr_head_mask(mr)
        spec = GridSpec(spacing_mm=(1.0, 1.0, 1.0), size_ij=None)
        on_grid = conform(mr, plan_grid(mr.geometry, spec, head), "linear", fill=0.0)
        mask = mr_head_mask(on_grid)
        corrected = Volume(n4(on_grid, mask).array_kji, on_grid.geometry)
        if source.labels is None:
            labels = _from_head_seg(segment_volume(corrected, "mr", progress=progress).array_kji, schema)
        else:
            values = conform(read_label_map(source.labels), on_grid.geometry, "nearest").array_kji
            labels = load_mapping(source.mapping, schema).apply(values)
        image = scaled_by_white_matter(corrected.array_kji, labels, schema)
        inside = _box(labels > 0)
        stored = {
            "image": image[inside].astype(np.float16),
            "labels": labels[inside].astype(np.uint8),
            "thickness": np.asarray(on_grid.geometry.spacing_mm[2]),
        }
        _remember(cache, key, **stored)
    assert float(stored["image"].max()) <= CLIP + 1e-2
    return Case(source.person, stored["labels"], stored["image"], float(stored["thickness"]))


def prepare_labels(source: LabelSource, schema: LabelSchema, cache: Path, progress: Progress) -> Case:
    """Labels without an image: a label map through its mapping, or a head CT through `head-seg`."""
    from MedUSISLib.segmentation.segment import segment_volume

    file = source.labels or source.ct
    assert file is not None
    network = _network_hash() if source.labels is None else ""
    whole_head = source.mapping == "synthseg"
    meaning = _meaning(None if network or whole_head else source.mapping, schema)
    key = _content_key(_bytes(file, "training labels or a training CT"), meaning, str(whole_head), network)
    stored = _cached(cache, key)
    if stored is None:
        if source.labels is not None and whole_head:
            labels = _whole_head_labels(source.labels, schema)
        elif source.labels is not None:
            label_map = read_label_map(source.labels)
            indices = load_mapping(source.mapping, schema).apply(label_map.array_kji)
            labels = Volume(indices, label_map.geometry)
        else:
            answer = segment_volume(read_volume(file), "ct", progress=progress)
            labels = Volume(_from_head_seg(answer.array_kji, schema), answer.geometry)
        grid = plan_grid(labels.geometry, GridSpec(size_ij=None), labels.array_kji > 0)
        on_grid = conform(labels, grid, "nearest")
        inside = _box(on_grid.array_kji > 0)
        stored = {"labels": on_grid.array_kji[inside].astype(np.uint8), "thickness": np.asarray(grid.spacing_mm[2])}
        _remember(cache, key, **stored)
    return Case(source.person, stored["labels"], None, float(stored["thickness"]))


def _whole_head_labels(path: Path, schema: LabelSchema) -> Volume:
    """A SynthSeg map with its enclosed air told from the outside, which the map itself does not do."""
    from MedUSISLib.training.domain_randomisation.tissues import TISSUES
    from MedUSISLib.training.domain_randomisation.volumes import prepare

    tissues = prepare(path).tissues_kji
    lookup = np.array([schema.index_of(tissue.head_class) for tissue in TISSUES], np.uint8)
    k, j, i = tissues.shape
    return Volume(lookup[tissues], Geometry((i, j, k)))
