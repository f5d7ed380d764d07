"""Whose files they are, which belong together, and on which side of the split a person is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.names import name_facts
from MedUSISLib.dataset.pairing import Candidate, Pairing, overlap, pair
from MedUSISLib.dataset.people import people_of
from MedUSISLib.dataset.split import SPLITS, split_people
from MedUSISLib.imaging.geometry import Geometry

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
HEAD = Geometry((64, 64, 40), (3.0, 3.0, 4.0), (-96.0, -96.0, -80.0))


def people(*names: str) -> list[str]:
    return people_of([Item(Path(name), name, Path()) for name in names])


@pytest.mark.parametrize(
    "names",
    [
        ("sub-07/anat/sub-07_T1w.nii.gz", "derivatives/seg/sub-07/sub-07_dseg.nii.gz", "sub-07/ses-2/ct/a_ct.nii.gz"),
        ("P012/ct.nii.gz", "P012/more/brain_labels.nrrd", "P012/MR/t1.mha"),
        ("pt_109_ct.nii.gz", "pt_109_seg.nii.gz", "pt_109_tissue_extra_seg.nii.gz"),
        ("ct/anna.nii.gz", "mr/anna.nii.gz", "labels/anna.nii.gz"),
        ("imagesTr/case_003_0000.nii.gz", "labelsTr/case_003.nii.gz"),
        ("long_p01_study1_t1w.nii.gz", "long_p01_study2_t1w.nii.gz"),
        ("Müller Anna/PET.nii.gz", "Müller Anna/CT Schädel 1/vol 001.nrrd"),
    ],
)
def test_files_of_one_person_are_grouped(names: tuple[str, ...]) -> None:
    assert len(set(people(*names))) == 1


@pytest.mark.parametrize(
    "names",
    [
        ("sub-01/sub-01_T1w.nii.gz", "sub-02/sub-02_T1w.nii.gz"),
        ("001/ct.nii.gz", "002/ct.nii.gz"),
        ("csi1_t1.nii.gz", "csi2_t1.nii.gz"),
        ("fnndsc_adi_t1.nii.gz", "fnndsc_sag_t1.nii.gz"),
        ("siteA/P1/ct.nii.gz", "siteB/P1/ct.nii.gz"),
        ("training_seg_01.nii.gz", "training_seg_02.nii.gz"),
    ],
)
def test_different_people_stay_apart(names: tuple[str, ...]) -> None:
    assert len(set(people(*names))) == len(names)


def test_patient_id_wins_over_names_and_takes_the_folder_along() -> None:
    items = [
        Item(Path("P7/a"), "P7/series-1", Path(), files=(Path("x"),), patient="4a5b"),
        Item(Path("P8/a"), "P8/series-2", Path(), files=(Path("y"),), patient="4a5b"),
        Item(Path("P7/seg.nii.gz"), "P7/seg.nii.gz", Path()),
    ]
    assert people_of(items) == ["patient-4a5b"] * 3


def test_names_tell_role_sequence_and_session() -> None:
    facts = name_facts("study/p3_visit2_T1_seg.nrrd")
    assert (facts.role, facts.sequence, facts.session) == ("labels", "T1w", "2")
    assert name_facts("mne_t1.nii.gz").role == "mr"


def file(id: str, role: str, name: str, geometry: Geometry = HEAD, **more: object) -> Candidate:
    return Candidate(id, name, "p", role, "", "", geometry, **more)  # type: ignore[arg-type]


def moved(mm: float) -> Geometry:
    return Geometry(HEAD.size_ijk, HEAD.spacing_mm, (HEAD.origin_lps_mm[0] + mm, *HEAD.origin_lps_mm[1:]))


def test_geometry_decides_between_two_studies_of_one_person() -> None:
    cases = pair(
        [
            file("ct1", "ct", "p/one.nii.gz", HEAD),
            file("ct2", "ct", "p/two.nii.gz", moved(7)),
            file("seg", "labels", "p/one_seg.nii.gz", moved(7), labels=9),
        ]
    )
    assert {(c.ct, c.labels) for c in cases} == {("ct1", None), ("ct2", "seg")}


def test_name_decides_where_geometry_does_not() -> None:
    cases = pair([file(f"ct{n}", "ct", f"p/scan_{w}_ct.nii.gz") for n, w in enumerate("ab")]
                 + [file("seg", "labels", "p/scan_b_seg.nii.gz", moved(1), labels=9)])  # fmt: skip
    assert {(c.ct, c.labels) for c in cases} == {("ct0", None), ("ct1", "seg")}


def test_richest_labels_win_and_every_mr_of_the_grid_has_them() -> None:
    cases = pair(
        [
            file("t1", "mr", "p_t1.nii.gz"),
            file("t2", "mr", "p_t2.nii.gz"),
            file("few", "labels", "p_a_seg.nii.gz", labels=2),
            file("many", "labels", "p_b_seg.nii.gz", labels=20),
        ]
    )
    assert {(c.mr, c.labels) for c in cases} == {("t1", "many"), ("t2", "many")}


def test_labels_far_away_stay_alone() -> None:
    far = Geometry((30, 30, 30), (1.0, 1.0, 1.0), (900.0, 0.0, 0.0))
    cases = pair([file("ct", "ct", "x/one_ct.nii.gz"), file("seg", "labels", "y/other.nii.gz", far, labels=5)])
    assert cases == [Pairing("p", ct="ct"), Pairing("p", labels="seg")]
    assert overlap(HEAD, far) == 0


def test_mr_on_the_grid_of_the_ct_is_its_pair() -> None:
    cases = pair(
        [file("ct", "ct", "p_ct.nii.gz"), file("mr", "mr", "p_mr.nii.gz"), file("s", "labels", "p_seg.nii.gz")]
    )
    assert cases == [Pairing("p", "ct", "mr", "s")]


def test_copies_are_in_no_case() -> None:
    cases = pair([file("a", "ct", "a_ct.nii.gz"), file("b", "ct", "b_ct.nii.gz", duplicate=True)])
    assert [case.ct for case in cases] == ["a"]


@given(st.integers(1, 40), st.integers(0, 12), st.integers(0, 5))
def test_people_who_come_later_move_nobody(number: int, later: int, seed: int) -> None:
    group = {f"p{n}": "ct" if n % 3 else "mr" for n in range(number + later)}
    first = split_people({p: g for p, g in group.items() if int(p[1:]) < number}, SHARES, seed)
    second = split_people(group, SHARES, seed, fixed=first)
    assert all(second[person] == side for person, side in first.items()) and len(second) == len(group)


def test_split_has_its_shares_in_each_group_and_depends_on_the_seed() -> None:
    groups = {f"p{n}": ("ct", "mr")[n % 2] for n in range(200)}
    sides = split_people(groups, SHARES, 0)
    for group in ("ct", "mr"):
        counts = [sum(sides[p] == split for p in groups if groups[p] == group) for split in SPLITS]
        assert counts == [70, 15, 15]
    assert sides == split_people(groups, SHARES, 0) != split_people(groups, SHARES, 1)


def test_few_people_are_for_training_first_and_validation_next() -> None:
    assert split_people({"a": "ct"}, SHARES, 0) == {"a": "train"}
    assert sorted(split_people({"a": "ct", "b": "ct"}, SHARES, 0).values()) == ["train", "validation"]
    assert sorted(split_people({x: "ct" for x in "abc"}, SHARES, 0).values()) == ["train", "train", "validation"]
    assert sorted(split_people({x: "ct" for x in "abcd"}, SHARES, 0).values()) == ["train"] * 3 + ["validation"]
    of_five = sorted(split_people({x: "ct" for x in "abcde"}, SHARES, 0).values())
    assert of_five == ["test", "train", "train", "train", "validation"]
    only = split_people({x: "ct" for x in "abcd"}, {"train": 1.0, "validation": 0.0, "test": 0.0}, 0)
    assert set(only.values()) == {"train"}
