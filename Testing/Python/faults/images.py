"""Images in files: NIfTI, NRRD, MetaImage; sound ones, what happens to their headers, and what they must be read as."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import nibabel
import numpy as np
from imaging_phantom import geometry_about, rotation

from faults.byte_faults import spoil_bytes
from faults.header_lines import spoil_lines
from faults.image_oracle import Said, said_by_mha, said_by_nifti, said_by_nrrd
from faults.kind import NAME, Kind
from faults.nifti_fields import spoil_header
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

GRID = geometry_about((12, -34, 56), (9, 8, 7), (1.5, 2.0, 4.0), rotation((0.2, 0.1, -0.3)))
SMALLEST_MM, LARGEST_MM = 1e-3, 1e2


def sound_values() -> np.ndarray:
    """HU without any symmetry, [k, j, i]."""
    return np.random.default_rng(0).integers(-1024, 2000, GRID.shape_kji).astype(np.int16)


def file_of(folder: Path) -> Path:
    """The file of a sample."""
    return next(path for path in sorted(folder.iterdir()) if path.name.startswith(NAME))


def require_same(volume: Volume, said: Said | None) -> None:
    """Geometry valid and sensible, values finite; both as the other reader says, when there is one."""
    grid = volume.geometry
    assert volume.array_kji.shape == grid.shape_kji
    assert np.isfinite(np.asarray(volume.array_kji, float)).all(), "values that are not finite"
    assert np.isfinite(grid.matrix).all(), "a geometry that is not finite"
    assert SMALLEST_MM <= min(grid.spacing_mm) and max(grid.spacing_mm) <= LARGEST_MM, f"spacing {grid.spacing_mm}"
    assert np.abs(grid.origin_lps_mm).max() < 1e6, f"origin {grid.origin_lps_mm}"
    if said is None:
        return
    assert tuple(grid.size_ijk) == tuple(said.size_ijk), f"size {grid.size_ijk}, said {said.size_ijk}"
    largest = max(1.0, np.abs(said.matrix).max())
    assert np.abs(grid.matrix - said.matrix).max() < 1e-3 * largest, f"geometry\n{grid.matrix}\nsaid\n{said.matrix}"
    with np.errstate(over="ignore", invalid="ignore"):
        stored = np.asarray(said.values, np.float32)
    finite = np.isfinite(stored)
    assert np.allclose(np.asarray(volume.array_kji, np.float32)[finite], stored[finite], rtol=1e-5), "other values"


def _make_nifti(folder: Path, name: str) -> None:
    values, affine = sound_values(), GRID.affine_ras
    kind = nibabel.Nifti2Image if name == "nifti-2" else nibabel.Nifti1Image
    if name == "nifti-scaled":
        values = (values // 8 + 200).astype(np.uint8)
    image = kind(values.T, affine)
    image.set_sform(affine, 0 if name == "nifti-quaternion" else 1)
    image.set_qform(affine, 1)
    if name == "nifti-scaled":
        image.header.set_slope_inter(8.0, -1600.0)
    if name == "nifti-big-endian":
        image = kind(values.T.astype(">i2"), None, image.header.as_byteswapped(">"))
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    path = folder / f"{NAME}.nii{'.gz' if name == 'nifti-gz' else ''}"
    path.write_bytes(gzip.compress(content, 1, mtime=0) if name == "nifti-gz" else content)


def _spoil_nifti(random: Random, folder: Path) -> str:
    path = file_of(folder)
    content = path.read_bytes()
    if not path.name.endswith(".gz"):
        content, done = spoil_header(random, content) if random.random() < 0.6 else spoil_bytes(random, content)
    elif random.random() < 0.5:  # the packed bytes
        content, done = spoil_bytes(random, content)
    else:
        content, done = spoil_header(random, gzip.decompress(content))
        content = gzip.compress(content, 1, mtime=0)
    path.write_bytes(content)
    return done


def _make_itk(folder: Path, suffix: str) -> None:
    write_volume(Volume(sound_values(), GRID), folder / f"{NAME}{suffix}")


def _make_plain(folder: Path, suffix: str) -> None:
    """Unpacked, which ITK's reader treats in another way."""
    import SimpleITK as sitk

    from MedUSISLib.imaging.volume import to_sitk

    sitk.WriteImage(to_sitk(Volume(sound_values(), GRID)), str(folder / f"{NAME}{suffix}"), useCompression=False)


def _make_segmentation(folder: Path) -> None:
    """As Slicer writes one: fields of segments in the header."""
    import SimpleITK as sitk

    from MedUSISLib.imaging.volume import to_sitk

    image = to_sitk(Volume((sound_values() > 0).astype(np.uint8), GRID))
    for key, value in {"Segment0_ID": "Segment_1", "Segment0_LabelValue": "1", "Segment0_Name": NAME}.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(folder / f"{NAME}.seg.nrrd"), useCompression=True)


def _spoil_text(random: Random, folder: Path, separator: str) -> str:
    path = file_of(folder)
    spoil = partial(spoil_lines, separator=separator) if random.random() < 0.65 else spoil_bytes
    content, done = spoil(random, path.read_bytes())
    path.write_bytes(content)
    return done


def _read(folder: Path) -> Volume:
    return read_volume(file_of(folder))


def _read_labels(folder: Path) -> Volume:
    return read_label_map(file_of(folder), "the segmentation")


def _verify(oracle: Callable[[Path], Said | None], folder: Path, volume: Any) -> None:
    require_same(volume, oracle(file_of(folder)))


NIFTI = ("nifti", "nifti-gz", "nifti-quaternion", "nifti-scaled", "nifti-big-endian", "nifti-2")
KINDS = (
    *(Kind(n, partial(_make_nifti, name=n), _spoil_nifti, _read, partial(_verify, said_by_nifti)) for n in NIFTI),
    Kind(
        "nrrd",
        partial(_make_plain, suffix=".nrrd"),
        partial(_spoil_text, separator=": "),
        _read,
        partial(_verify, said_by_nrrd),
    ),
    Kind(
        "nrrd-packed",
        partial(_make_itk, suffix=".nrrd"),
        partial(_spoil_text, separator=": "),
        _read,
        partial(_verify, said_by_nrrd),
    ),
    Kind(
        "seg.nrrd",
        _make_segmentation,
        partial(_spoil_text, separator=": "),
        _read_labels,
        partial(_verify, said_by_nrrd),
    ),
    Kind(
        "mha",
        partial(_make_plain, suffix=".mha"),
        partial(_spoil_text, separator=" = "),
        _read,
        partial(_verify, said_by_mha),
    ),
    Kind(
        "mha-packed",
        partial(_make_itk, suffix=".mha"),
        partial(_spoil_text, separator=" = "),
        _read,
        partial(_verify, said_by_mha),
    ),
    Kind(
        "mhd",
        partial(_make_plain, suffix=".mhd"),
        partial(_spoil_text, separator=" = "),
        _read,
        partial(_verify, lambda path: None),
    ),
)
