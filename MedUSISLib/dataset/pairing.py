"""Which labels belong to which image, and which MR to which CT of the same person.

Names and folders bring candidates together; where they leave a choice, geometry decides: the same grid before the same
place, and never labels that lie elsewhere while another image fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from MedUSISLib.dataset.names import name_facts
from MedUSISLib.imaging.geometry import Geometry

_SAME_GRID_VOXEL = 0.05
# Less common space than this, and they show different things.
_SAME_PLACE = 0.2


@dataclass(frozen=True)
class Candidate:
    """A file as the pairing sees it: ``name`` is its path below the scanned folder, ``labels`` how many values."""

    id: str
    name: str
    person: str
    role: str
    session: str
    sequence: str
    geometry: Geometry
    labels: int = 0
    duplicate: bool = False


@dataclass(frozen=True)
class Pairing:
    """A case: ids of its files."""

    person: str
    ct: str | None = None
    mr: str | None = None
    labels: str | None = None

    @property
    def id(self) -> str:
        """Of the image that it is about, so that finding its labels later does not rename it."""
        main = self.ct or self.mr or self.labels or ""
        return "case-" + blake2b(f"{main}".encode(), digest_size=4).hexdigest()


def overlap(a: Geometry, b: Geometry) -> float:
    """Common part of the boxes around two grids, as a share of the smaller one; 0 to 1."""
    low_a, high_a = _box(a)
    low_b, high_b = _box(b)
    common = np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None)
    smaller = min(float(np.prod(high_a - low_a)), float(np.prod(high_b - low_b)))
    return float(np.prod(common)) / smaller


def _box(geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    size = np.asarray(geometry.size_ijk)
    ends = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * size - 0.5
    corners = geometry.index_to_lps(ends)
    return corners.min(0), corners.max(0)


def pair(candidates: Sequence[Candidate]) -> list[Pairing]:
    """Cases of all people: each CT and each MR once, an MR that lies on a CT of its person together with it.

    A label map goes to the images that it fits best, to both of a registered pair, and to every MR of its grid; the
    richest of several wins (a tissue segmentation before a mask). One that fits no image stays alone.
    """
    people: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.role in ("ct", "mr", "labels") and not candidate.duplicate:
            people[candidate.person].append(candidate)
    cases = [case for person in sorted(people) for case in _cases_of(people[person])]
    return sorted(cases, key=lambda case: (case.person, case.ct is None, case.mr is None, case.id))


def _cases_of(files: list[Candidate]) -> list[Pairing]:
    images = [f for f in files if f.role in ("ct", "mr")]
    label_maps = [f for f in files if f.role == "labels"]
    labels_of, taken = _labels_of_images(images, label_maps)
    person = files[0].person
    cases = []
    paired: set[str] = set()
    for ct in (f for f in images if f.role == "ct"):
        fitting = [f for f in images if f.role == "mr" and f.id not in paired and _registered(ct, f)]
        mr = max(fitting, key=lambda f: (_affinity(ct, f), f.sequence == "T1w"), default=None)
        if mr is not None:
            paired.add(mr.id)
        labels = labels_of.get(ct.id) or (labels_of.get(mr.id) if mr is not None else None)
        cases.append(Pairing(person, ct.id, mr.id if mr is not None else None, labels))
    for mr in (f for f in images if f.role == "mr" and f.id not in paired):
        cases.append(Pairing(person, mr=mr.id, labels=labels_of.get(mr.id)))
    cases += [Pairing(person, labels=f.id) for f in label_maps if f.id not in taken]
    return cases


def _labels_of_images(images: list[Candidate], label_maps: list[Candidate]) -> tuple[dict[str, str], set[str]]:
    """Best label map of each image, and those that found an image at all."""
    offers: dict[str, list[tuple[int, float, Candidate]]] = defaultdict(list)
    taken: set[str] = set()
    for labels in label_maps:
        scores = {image.id: _fit(labels, image) for image in images}
        best = max(scores.values(), default=0.0)
        if best <= 0:
            continue
        taken.add(labels.id)
        for image in images:
            # Images in the very same grid share labels; of others only the best has them.
            same = image.geometry.same_grid(labels.geometry, _SAME_GRID_VOXEL)
            if scores[image.id] == best or (same and scores[image.id] > 0):
                offers[image.id].append((labels.labels, scores[image.id], labels))
    chosen = {image: max(found, key=lambda o: (o[1] >= 4, o[0], o[1]))[2].id for image, found in offers.items()}
    return chosen, taken


def _fit(labels: Candidate, image: Candidate) -> float:
    """How well labels fit an image of the same person; 0: not at all."""
    common = overlap(labels.geometry, image.geometry)
    affinity = _affinity(labels, image)
    if labels.geometry.same_grid(image.geometry, _SAME_GRID_VOXEL):
        place = 4.0
    elif common >= _SAME_PLACE:
        place = 2.0 * common
    elif labels.geometry.size_ijk == image.geometry.size_ijk or affinity > 1.0:
        # A header that lost its origin, or names that say plainly they are partners: paired, and reported.
        place = 0.1
    else:
        return 0.0
    return place + affinity + (0.1 if image.role == "ct" else 0.0)


def _affinity(a: Candidate, b: Candidate) -> float:
    """Likeness of names, 0 to 1.5: common words, same folder; less than nothing for different sessions."""
    words_a, words_b = name_facts(a.name).stem, name_facts(b.name).stem
    common = len(words_a & words_b) / max(len(words_a | words_b), 1)
    same_folder = a.name.rpartition("/")[0] == b.name.rpartition("/")[0]
    other_session = bool(a.session and b.session and a.session != b.session)
    return common + 0.5 * same_folder - 1.5 * other_session


def _registered(ct: Candidate, mr: Candidate) -> bool:
    """On the same grid. Boxes that overlap prove nothing: every scanner has its zero in the middle of the head."""
    return ct.geometry.same_grid(mr.geometry, _SAME_GRID_VOXEL)
