"""Masks become lesions, marks become hits: one lesion, one hit."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_example import grid

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.study.lesions import Outcome, connected_lesions, score_marks
from MedUSISLib.study.protocol import HitRule, LesionRule
from MedUSISLib.study.questions import Mark

SPACING = (1.0, 2.0, 3.0)


def mask_with(*boxes: tuple[int, int, int, int], size: int = 24) -> Volume:
    """Boxes of ``edge`` voxels at (k, j, i)."""
    array = np.zeros((size, size, size), np.uint8)
    for k, j, i, edge in boxes:
        array[k : k + edge, j : j + edge, i : i + edge] = 1
    return Volume(array, Geometry((size, size, size), SPACING, (5.0, 6.0, 7.0)))


def mark_at(volume: Volume, kji: tuple[float, float, float], confidence: float = 50.0) -> Mark:
    x, y, z = volume.geometry.index_to_lps([kji[::-1]])[0]
    return Mark(position_lps_mm=(x, y, z), confidence=confidence)


def outcomes(marks: list[Mark], labels: Volume, rule: HitRule) -> list[tuple[str, int]]:
    return [(s.outcome.value, s.lesion) for s in score_marks(marks, labels, rule)]


def test_lesions_are_sorted_by_size_and_know_their_place_in_space() -> None:
    mask = mask_with((2, 2, 2, 2), (10, 10, 10, 3))
    labels, lesions = connected_lesions(mask)
    assert [lesion.volume_mm3 for lesion in lesions] == [27 * 6.0, 8 * 6.0]
    assert lesions[0].centre_lps_mm == pytest.approx((5 + 11, 6 + 22, 7 + 33))
    assert labels.array_kji[11, 11, 11] == 1 and labels.array_kji[2, 2, 2] == 2


def test_small_components_are_no_lesions() -> None:
    mask = mask_with((2, 2, 2, 1), (10, 10, 10, 2))
    assert len(connected_lesions(mask, LesionRule(smallest_mm3=7))[1]) == 1
    assert len(connected_lesions(mask, LesionRule(smallest_mm3=6))[1]) == 2
    assert connected_lesions(mask_with())[1] == []


@pytest.mark.parametrize(("connectivity", "count"), [(6, 3), (18, 2), (26, 1)])
def test_neighbours_by_face_edge_or_corner(connectivity: int, count: int) -> None:
    # The second voxel shares an edge with the first one, the third a corner with the second.
    mask = mask_with((2, 2, 2, 1), (2, 3, 3, 1), (3, 4, 4, 1))
    rule = LesionRule.model_validate({"connectivity": connectivity, "smallest_mm3": 0})
    assert len(connected_lesions(mask, rule)[1]) == count


def test_one_lesion_is_hit_once_by_the_surest_mark() -> None:
    labels, _ = connected_lesions(mask_with((5, 5, 5, 3)))
    marks = [mark_at(labels, (5, 5, 5), 30), mark_at(labels, (6, 6, 6), 90), mark_at(labels, (20, 20, 20), 99)]
    assert outcomes(marks, labels, HitRule(kind="inside")) == [("duplicate", 1), ("hit", 1), ("false-positive", 0)]


def test_inside_means_inside_and_distance_is_in_millimetres() -> None:
    labels, _ = connected_lesions(mask_with((5, 5, 5, 3)))
    near = [mark_at(labels, (8, 6, 6))]  # one voxel of 3 mm above the last
    assert outcomes(near, labels, HitRule(kind="inside"))[0][0] == "false-positive"
    assert outcomes(near, labels, HitRule(radius_mm=3.0))[0][0] == "hit"
    assert outcomes(near, labels, HitRule(radius_mm=2.9))[0][0] == "false-positive"


@given(
    degrees=st.floats(0, 360),
    spacing=st.tuples(*[st.sampled_from([0.47, 1.0, 3.3])] * 3),
    radius=st.sampled_from([3.0, 5.0]),
)
def test_the_radius_is_the_same_on_every_grid(
    degrees: float, spacing: tuple[float, float, float], radius: float
) -> None:
    """Oblique, anisotropic grids: at the radius it is a hit in every direction, a hundredth beyond none."""
    geometry = grid((9, 9, 9), spacing, degrees)
    array = np.zeros((9, 9, 9), np.uint8)
    array[4, 4, 4] = 1
    labels = Volume(array, geometry)
    centre = geometry.index_to_lps([(4, 4, 4)])[0]
    for direction in (*np.eye(3), np.ones(3) / np.sqrt(3)):
        for factor, expected in ((1.0, "hit"), (1.01, "false-positive")):
            x, y, z = (float(v) for v in centre + factor * radius * direction)
            mark = Mark(position_lps_mm=(x, y, z), confidence=50)
            assert outcomes([mark], labels, HitRule(radius_mm=radius))[0][0] == expected


def test_marks_equally_near_and_sure_give_one_hit_and_one_duplicate() -> None:
    labels, _ = connected_lesions(mask_with((5, 5, 5, 3)))
    same = [mark_at(labels, (6, 6, 8)), mark_at(labels, (6, 6, 4))]  # as far on both sides
    assert sorted(outcomes(same, labels, HitRule(radius_mm=1))) == [("duplicate", 1), ("hit", 1)]


def test_two_lesions_within_reach_of_two_marks_are_both_hit() -> None:
    """Both marks are nearest to the first lesion; nearest-first would leave the second one missed."""
    labels, _ = connected_lesions(mask_with((5, 5, 5, 3), (5, 5, 11, 2)))
    marks = [mark_at(labels, (6, 6, 8), 80), mark_at(labels, (6, 6, 7), 60)]
    found = outcomes(marks, labels, HitRule(radius_mm=4))
    assert sorted(found) == [("hit", 1), ("hit", 2)]


def test_marks_outside_the_image_and_cases_without_lesions_are_false_positives() -> None:
    labels, _ = connected_lesions(mask_with())
    assert outcomes([mark_at(labels, (-50, 3, 3))], labels, HitRule()) == [("false-positive", 0)]
    labels, _ = connected_lesions(mask_with((5, 5, 5, 3)))
    assert outcomes([mark_at(labels, (-50, 3, 3))], labels, HitRule()) == [("false-positive", 0)]
    assert outcomes([], labels, HitRule()) == []


_POINT = st.tuples(*[st.integers(0, 15)] * 3)


@given(
    lesions=st.lists(_POINT, max_size=3),
    marks=st.lists(st.tuples(_POINT, st.integers(0, 100)), max_size=4),
    radius=st.sampled_from([0.5, 3.0, 9.0]),
)
def test_the_pairing_is_the_best_of_all_pairings(lesions, marks, radius) -> None:
    """Against trying all of them: most hits first, then the highest sum of confidences."""
    labels, found = connected_lesions(mask_with(*[(*p, 1) for p in lesions], size=16), LesionRule(smallest_mm3=0))
    given_marks = [mark_at(labels, p, c) for p, c in marks]
    scored = score_marks(given_marks, labels, HitRule(radius_mm=radius))
    hits = [s for s in scored if s.outcome is Outcome.HIT]
    assert len({s.lesion for s in hits}) == len(hits)
    voxels = [labels.geometry.index_to_lps(np.argwhere(labels.array_kji == n.label)[:, ::-1]) for n in found]
    near = [
        [np.sqrt(((v - np.array(m.position_lps_mm)) ** 2).sum(1)).min() <= radius for v in voxels] for m in given_marks
    ]
    best = (0, 0.0)
    slots = [*range(len(voxels)), *[None] * len(given_marks)]
    for chosen in set(permutations(slots, len(given_marks))):
        pairs = [(m, n) for m, n in enumerate(chosen) if n is not None and near[m][n]]
        best = max(best, (len(pairs), sum(given_marks[m].confidence for m, _ in pairs)))
    assert (len(hits), sum(s.mark.confidence for s in hits)) == pytest.approx(best)
    for number, s in enumerate(scored):
        assert (s.outcome is Outcome.FALSE_POSITIVE) == (not any(near[number]))
