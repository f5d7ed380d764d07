"""Is this a CT in Hounsfield units? Air, fat, soft tissue and bone have known values there, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.volume import Volume

AIR_HU = -1024
# Metal and reconstruction overshoot reach far beyond; nothing below air exists, scanners write it outside their circle
# (-2000, -3024, -1100 .. -1207 by resampling ringing in the shared data).
_SAMPLE = 2_000_000
_SLAB = 16
_HIGHEST = 1e6  # steel on an extended scale has some 30,000 HU
# So many voxels at one value above air were a window's lower end: air, lungs and couch cannot be told apart any more.
_CLIPPED = 0.1


@dataclass(frozen=True)
class _Values:
    """What the decision rests on; fractions are of the voxels that are not padding."""

    low: float
    high: float
    air: float
    fat: float
    soft: float
    bone: float
    median_tissue: float
    at_low: float


def looks_like_ct(volume: Volume) -> bool:
    """True when ``check_is_ct`` would pass."""
    return _objection(volume) is None


def check_is_ct(volume: Volume, role: str = "the CT") -> None:
    """Refuse what is not a CT in HU.

    Raises
    ------
    MedUSISError
        ``NOT_A_CT``, with the reason in the message (values like MR, a window of 0..255, HU + 1024, ...).

    Notes
    -----
    Passes: whole and cropped CTs, also without any air (inside the head), with padding of -2000 or -3024, with a
    constant 0 outside the body. The MR of ../shared/data have less than 0.1 % of their values below -20, CTs over 1 %.
    """
    objection = _objection(volume)
    if objection is not None:
        reason, hint = objection
        raise MedUSISError(ErrorCode.NOT_A_CT, f"{role} {reason}", hint)


def clean_ct(volume: Volume, role: str = "the CT") -> Volume:
    """The CT with everything that stands for "nothing measured" set to air.

    Values below -1024 (padding) become -1024, and so does a constant 0 outside the body. ``meta["notes"]`` tells.
    The same volume is returned when nothing is to be done.

    Raises
    ------
    MedUSISError
        ``NOT_A_CT``.
    """
    check_is_ct(volume, role)
    array = volume.array_kji
    notes = list(volume.meta.get("notes", []))
    low_padding = int(array.min()) < AIR_HU
    exterior = zero_exterior(array)
    if not low_padding and exterior is None:
        return volume
    array = np.maximum(array, np.asarray(AIR_HU, dtype=array.dtype))
    if low_padding:
        notes.append("values below -1024 HU were set to air")
    if exterior is not None:
        array[exterior] = AIR_HU
        notes.append("the constant 0 outside the body was set to air")
    return volume.with_array(array, notes=notes)


def zero_exterior(array: np.ndarray) -> np.ndarray | None:
    """Mask of a constant 0 around the body, or None when the outside is not zero.

    0 HU is also water, so only what is connected to the volume's faces counts, and only when most of them are 0.
    """
    faces = [face for axis in range(3) if array.shape[axis] > 1 for face in _end_faces(array, axis)]
    if not faces:
        faces = [array[0][:1], array[0][-1:], array[0][:, :1], array[0][:, -1:]]
    zero_share = [float(np.mean(face == 0)) for face in faces]
    if sum(share > 0.5 for share in zero_share) * 2 <= len(zero_share):
        return None
    from scipy.ndimage import label

    zeros = array == 0
    numbered, _ = label(zeros)
    at_border = [face for axis in range(3) if array.shape[axis] > 1 or axis > 0 for face in _end_faces(numbered, axis)]
    touching = np.unique(np.concatenate([np.unique(face) for face in at_border]))
    touching = touching[touching > 0]
    # Single voxels of water in the first and last slice touch a face as well; the outside is large.
    rank = np.zeros(int(numbered.max()) + 1, dtype=np.int32)
    rank[touching] = np.arange(1, touching.size + 1)
    sizes = np.zeros(touching.size + 1, dtype=np.int64)
    for first in range(0, array.shape[0], _SLAB):
        sizes += np.bincount(rank[numbered[first : first + _SLAB]].ravel(), minlength=sizes.size)
    large = sizes >= max(1, 0.1 * sizes[1:].max(initial=0))
    large[0] = False
    exterior = large[rank][numbered]
    return exterior if exterior.mean() > 0.05 else None


def _end_faces(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    planes = np.moveaxis(array, axis, 0)  # views: take would first copy an array that is a view itself
    return planes[0], planes[-1]


def _sample(array: np.ndarray) -> np.ndarray:
    """Every n-th voxel, evenly over the volume, with steps that do not lock onto its rows."""
    step = max(1, round((array.size / _SAMPLE) ** (1 / 3)))
    sample = array[:: min(step, array.shape[0]), :: min(step, array.shape[1]), :: min(step, array.shape[2])]
    return sample.astype(np.float32).ravel()


def _values(sample: np.ndarray) -> _Values:
    zero = float(np.mean(sample == 0))
    # A value that fills a good part of the volume exactly is padding or clipped air, not measured tissue.
    measured = sample[(sample > -1050) & ~((sample == 0) & (zero > 0.1))]
    if measured.size == 0:
        measured = sample
    tissue = measured[measured > -250]
    count = max(tissue.size, 1)
    return _Values(
        low=float(sample.min()),
        high=float(sample.max()),
        air=float(np.mean(sample < -300)),
        fat=float(np.count_nonzero(tissue < -20) / count),
        soft=float(np.count_nonzero((tissue >= -150) & (tissue <= 200)) / count),
        bone=float(np.count_nonzero(tissue > 250) / count),
        median_tissue=float(np.median(tissue)) if tissue.size else float("nan"),
        at_low=float(np.mean(sample == sample.min())),
    )


def _objection(volume: Volume) -> tuple[str, str] | None:
    """Why this is no CT, and what to do; None when it is one."""
    modality = volume.meta.get("modality")
    if modality and modality != "CT":
        return f"is a DICOM series of modality {modality}", "give the CT series"
    sample = _sample(volume.array_kji)
    v = _values(sample)
    span = f"its values run from {v.low:.4g} to {v.high:.4g}"
    give = "give a CT in Hounsfield units (air -1000, water 0)"
    if v.low == v.high:
        return f"has the same value everywhere ({v.low:.4g})", give
    if v.low >= 0 and _is_shifted_ct(sample):
        return (
            f"holds stored values, not Hounsfield units: {span}, tissue lies near 1024",
            "apply the rescale intercept (-1024) and try again",
        )
    if v.low >= -20 or (v.air < 0.001 and v.fat < 0.01):
        kind = "like an 8-bit picture" if v.low >= 0 and v.high <= 255 else "like an MR"
        return f"has neither air nor fat: {span}, {kind}", give
    if v.low > -300 and v.at_low > _CLIPPED:
        return f"is clipped: {100 * v.at_low:.0f} % of its voxels have its lowest value, {v.low:.4g}", give
    if v.high > _HIGHEST:
        return f"holds values that no tissue or metal has: {span}", give
    if v.high < 60:
        return f"has no soft tissue or bone: {span}", give
    if not _is_ct_like(v):
        return (
            f"has no soft tissue where a CT has it: {span}, {100 * v.soft:.0f} % of the tissue lies between"
            f" -150 and 200, its median is {v.median_tissue:.4g}",
            give,
        )
    return None


def _is_shifted_ct(sample: np.ndarray) -> bool:
    """HU + 1024 has a peak of soft tissue there and a valley between it and air; MR has its tissue in that valley."""
    peak = np.count_nonzero((sample > 1000) & (sample < 1150))
    valley = np.count_nonzero((sample > 200) & (sample < 750))
    return bool(peak > 2 * valley) and _is_ct_like(_values(sample - 1024))


def _is_ct_like(v: _Values) -> bool:
    if not -150 <= v.median_tissue <= 250 or v.soft < 0.4:
        return False
    # With air around the body the values are bound to HU; without, fat and bone both have to be there.
    return v.air >= 0.001 or (v.fat >= 0.01 and v.bone >= 0.001)
