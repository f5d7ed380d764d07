"""CT, MR or labels? The voxels decide.

A label map is flat: measured on the voxels that are not background, at least 74 % of neighbours have the same value in
the full label maps of the collected data (41 % in a mask of a few small lesions), at most 19 % in its CT and MR, 8-bit
ones included. A CT has air, fat and soft tissue where Hounsfield put them (`imaging.modality`). What is neither is an
MR, if it looks like an image at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.modality import check_is_ct
from MedUSISLib.imaging.volume import Volume

_SAMPLE_PLANES = 64
_SAMPLE_ROWS = 160
# Full label maps lie above .74, images below .19.
_FLAT = 0.45
# So few values are labels or masks, however small their regions.
_FEW_VALUES = 8
_MANY_VALUES = 2500
# Below this many different values an image was windowed, coded or is no image.
_COARSE = 24
_NEGATIVE = 0.05
# Of the collected data, CTs in a window of -160 to 240 HU have 1 to 18 % at the top, MRs clipped at their 99.5th
# percentile at most 3.5 %.
_CUT_OFF = 0.05
_LOWEST_PEAK = 0.2
_FEWEST = 10_000
_LEAST_BONE = 0.02


@dataclass(frozen=True)
class Recognition:
    """What a volume is.

    Attributes
    ----------
    kind : {"ct", "mr", "labels", "unknown"}
    reason : str
        In words, for the page; no names.
    problems : tuple of (code, what)
    """

    kind: str
    reason: str
    problems: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ValueFacts:
    """Figures of a sample of rows that are whole along i.

    ``flat`` is the share of neighbours with the same value among those that are not both background (the commonest
    value); ``different`` counts values up to a few thousand.
    """

    low: float
    high: float
    whole: bool
    different: int
    flat: float
    negative: float
    extreme: float


def value_facts(array_kji: np.ndarray) -> ValueFacts:
    """Measure every n-th plane and row."""
    step_k = max(1, array_kji.shape[0] // _SAMPLE_PLANES)
    step_j = max(1, array_kji.shape[1] // _SAMPLE_ROWS)
    sample = np.asarray(array_kji[::step_k, ::step_j])
    values, counts = np.unique(sample, return_counts=True)
    mode = values[counts.argmax()]
    # Along the longest of the two axes that are complete enough: a single column has no neighbours in i.
    left, right = (sample[..., :-1], sample[..., 1:]) if sample.shape[2] > 1 else (sample[:-1], sample[1:])
    inside = (left != mode) | (right != mode)
    low, high = float(values[0]), float(values[-1])
    span = max(high - low, 1e-12)
    away = sample[sample != mode]
    ends = (away < low + 0.02 * span) | (away > high - 0.02 * span)
    return ValueFacts(
        low=low,
        high=high,
        whole=bool(np.all(values == np.rint(values))),
        different=int(values.size),
        flat=float(np.mean((left == right)[inside])) if inside.any() else 1.0,
        negative=float(np.mean(sample < -1e-3 * span)),
        extreme=float(np.mean(ends)) if away.size else 1.0,
    )


def recognise(volume: Volume, modality: str = "", image_type: tuple[str, ...] = (), name_role: str = "") -> Recognition:
    """What a volume is, and what is odd about it.

    Parameters
    ----------
    volume : Volume
    modality, image_type
        As DICOM says; "" and () for other formats.
    name_role : str
        What its name promises: only to say where name and content disagree, and to tell a CT that lost its units.
    """
    facts = value_facts(volume.array_kji)
    span = f"{facts.low:.4g} to {facts.high:.4g}"
    if modality and modality not in ("CT", "MR"):
        return Recognition(
            "unknown", f"DICOM modality {modality}", (("WRONG_MODALITY", f"DICOM says modality {modality}"),)
        )
    if facts.low == facts.high:
        return _constant(volume, name_role, modality)
    if not modality and _is_label_map(facts):
        reason = f"{facts.different} whole numbers from {span}, {100 * facts.flat:.0f} % of neighbours alike"
        odd = (("NAME_DISAGREES", f"its name says {_word(name_role)}, its voxels are labels"),)
        return Recognition("labels", reason, odd if name_role in ("ct", "mr") else ())
    objection = _ct_objection(volume) if modality != "MR" else "DICOM says MR"
    if not objection:
        odd = (("NAME_DISAGREES", "its name says MR, its values are Hounsfield units"),)
        return Recognition("ct", f"Hounsfield units from {span}", odd if name_role == "mr" and not modality else ())
    if modality == "CT" or name_role == "ct" or "stored values" in objection:
        return Recognition("ct", objection, (("NOT_HU", f"it {objection}"),))
    doubt = maybe_ct(volume.array_kji) if modality != "MR" else ""
    return _mr(facts, image_type, name_role, doubt)


def _constant(volume: Volume, name_role: str, modality: str) -> Recognition:
    """A sample with one value: the whole volume decides, a small lesion may lie between the rows."""
    array = volume.array_kji
    low, high = float(array.min()), float(array.max())
    if low != high and low == 0 and not modality and not np.any(array != np.rint(array)):
        return Recognition("labels", f"a mask of {np.count_nonzero(array)} voxels")
    if low == high == 0 and name_role == "labels":
        return Recognition("labels", "zero everywhere", (("EMPTY_LABELS", "it is zero everywhere"),))
    return Recognition("unknown", "the same value everywhere", (("CONSTANT", f"every voxel is {low:.4g}"),))


def _is_label_map(facts: ValueFacts) -> bool:
    if not facts.whole or facts.low < -1:
        return False
    return facts.different <= _FEW_VALUES or (facts.flat >= _FLAT and facts.different <= _MANY_VALUES)


def _ct_objection(volume: Volume) -> str:
    try:
        check_is_ct(volume, role="")
    except MedUSISError as error:
        return error.message.strip()
    return ""


def _mr(facts: ValueFacts, image_type: tuple[str, ...], name_role: str, doubt: str) -> Recognition:
    span = f"{facts.low:.4g} to {facts.high:.4g}"
    problems: list[tuple[str, str]] = []
    if name_role == "other":
        problems.append(("WRONG_MODALITY", "its name says PET or SPECT"))
    derived = {"ADC", "FA", "TRACEW", "PHASE", "P", "PHASE MAP", "T1 MAP", "T2 MAP", "PERFUSION"} & set(image_type)
    if derived:
        problems.append(("DERIVED_MAP", f"DICOM's image type says {', '.join(sorted(derived))}"))
    elif facts.negative > _NEGATIVE:
        problems.append(
            (
                "DERIVED_MAP",
                f"{100 * facts.negative:.0f} % of its values are negative ({span}): a phase, difference or "
                "standardised image",
            )
        )
    elif not facts.whole and facts.low >= 0 and facts.high <= 1.001 and facts.extreme > 0.6:
        problems.append(("DERIVED_MAP", f"{100 * facts.extreme:.0f} % of it is close to 0 or 1: a probability map"))
    elif facts.different < _COARSE:
        problems.append(("DERIVED_MAP", f"it has {facts.different} different values only"))
    elif doubt:
        problems.append(("MAYBE_CT", doubt))
    if name_role == "labels":
        problems.append(("NAME_DISAGREES", "its name says labels, its voxels are an image"))
    return Recognition("mr", f"an image without Hounsfield units, {span}", tuple(problems))


def maybe_ct(array_kji: np.ndarray) -> str:
    """Why an image without Hounsfield units may be a CT that was rescaled or windowed; "" when it looks like an MR.

    Rescaled: with its lowest value taken for air and its highest peak for soft tissue, there is little between air and
    fat, and bone beyond (MR has most of its tissue in that gap). Windowed: bone is cut off at the highest value.
    """
    steps = [max(1, n // 96) for n in array_kji.shape]
    sample = array_kji[:: steps[0], :: steps[1], :: steps[2]].astype(np.float32).ravel()
    low, high = float(sample.min()), float(np.percentile(sample, 99.9))
    if high <= low or sample.size < _FEWEST:
        return ""
    at_top = _count(sample == sample.max()) / max(_count(sample != low), 1)
    if at_top > _CUT_OFF:
        return f"{100 * at_top:.0f} % of it has the highest value, as bone has in a windowed CT"
    share = (sample - low) / (high - low)
    counts, edges = np.histogram(share[share > _LOWEST_PEAK], bins=200, range=(0, 1.2))
    peak = edges[np.convolve(counts, np.ones(5), "same").argmax()]
    hu = share / peak * 1040 - 1000
    soft, gap = _count((hu > -24) & (hu < 126)), _count((hu > -824) & (hu < -274))
    tissue, bone = max(_count(hu > -250), 1), _count(hu > 250)
    if soft > 2 * gap and soft > 0.35 * tissue and bone > _LEAST_BONE * tissue:
        return (
            "its values lie as in a CT that was rescaled: a narrow peak of soft tissue, a gap towards air, bone beyond"
        )
    return ""


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


def _word(role: str) -> str:
    return {"ct": "CT", "mr": "MR", "labels": "labels"}.get(role, role)
