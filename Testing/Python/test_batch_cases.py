"""CTs and segmentations in trees of files: layouts that people have, and what must not be matched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from batch_tree import SCANNER, TEMPLATE, codes, found_in, grid, pairs, write
from dataset_example import ct, labels, mr, save
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.found_text import found_text, problem_counts
from MedUSISLib.batch.name_words import own_words
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

QUICK = [Phase.explicit, Phase.generate]  # shrinking takes minutes
LAYOUTS = {
    "a folder for each person": ("{p}/ct.nii.gz", "{p}/seg.nii.gz"),
    "names of people": ("Meier_{p}/ct.nrrd", "Meier_{p}/labels.nii.gz"),
    "one folder for all": ("{p}_ct.nii.gz", "{p}_seg.nii.gz"),
    "with hyphens": ("HN-{p}-ct.mha", "HN-{p}-mask.nrrd"),
    "a folder for each role": ("CT/{p}.nii.gz", "segmentations/{p}.nii.gz"),
    "roles below people": ("cohort/{p}/CT/volume.nii.gz", "cohort/{p}/Segmentation/volume.nii.gz"),
    "said twice": ("{p}/{p}_CT.nii.gz", "{p}/{p}_seg.nii.gz"),
    "counted": ("{p}/ct1.nii.gz", "{p}/seg1.nii.gz"),
    "sessions": ("{p}/ses-2/ct.nii.gz", "{p}/ses-2/dseg.nii.gz"),
    "a tool's folder": ("{p}/ct.nii.gz", "{p}/autocontour/segmentation.nii.gz"),
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_usual_layouts_are_understood(tmp_path: Path, layout: str) -> None:
    ct_name, labels_name = LAYOUTS[layout]
    people = ("P9", "P10", "p11")
    for number, person in enumerate(people):
        write(tmp_path, ct_name.format(p=person), labels_name.format(p=person), geometry=grid(number))
    assert found_in(tmp_path) == {ct_name.format(p=p): labels_name.format(p=p) for p in people}
    assert [case.key for case in find_cases(tmp_path).cases] == [ct_name.format(p=p) for p in people], "9 before 10"


_PERSON = st.from_regex(r"[A-Z][a-z]{2,6}[0-9]{0,3}", fullmatch=True).filter(lambda name: own_words(name, True))


@settings(max_examples=25, deadline=None, phases=QUICK)
@given(st.sampled_from(list(LAYOUTS)), st.lists(_PERSON, min_size=2, max_size=6, unique_by=str.lower), st.data())
def test_nobody_gets_the_segmentation_of_another(
    tmp_path_factory: pytest.TempPathFactory, layout: str, people: list[str], data: st.DataObject
) -> None:
    """Whoever lacks a segmentation has none, and a segmentation without its CT is told; all have one grid."""
    root = tmp_path_factory.mktemp("tree")
    missing = data.draw(st.sets(st.sampled_from(people)))
    without_ct = data.draw(st.sets(st.sampled_from(people)))
    ct_name, labels_name = LAYOUTS[layout]
    for number, person in enumerate(people):
        if person not in without_ct:
            write(root, ct_name.format(p=person), geometry=TEMPLATE, seed=number)
        if person not in missing:
            write(root, labels_name.format(p=person), geometry=TEMPLATE, seed=100 + number)
    found = find_cases(root)
    expected = {
        ct_name.format(p=p): None if p in missing else labels_name.format(p=p) for p in people if p not in without_ct
    }
    assert pairs(found, root) == expected
    lonely = {labels_name.format(p=p) for p in without_ct - missing}
    assert codes(found) == dict.fromkeys(lonely, "NO_CT")
    shutil.rmtree(root)


_ANY_PERSON = st.lists(
    st.sampled_from(
        ["T1", "T2", "brain", "test", "flair", "1", "2", "10", "01", "A", "a", "P1", "ses-1", "sub-1", "x"]
    ),
    min_size=1,
    max_size=3,
).flatmap(lambda words: st.sampled_from("_- ").map(lambda joint: joint.join(words)))


@settings(max_examples=40, deadline=None, phases=QUICK)
@given(
    st.sampled_from(list(LAYOUTS)),
    st.lists(_ANY_PERSON, min_size=2, max_size=5, unique_by=lambda name: own_words(name, True)),
    st.data(),
)
def test_whatever_people_are_called_nobody_gets_what_is_of_another(
    tmp_path_factory: pytest.TempPathFactory, layout: str, people: list[str], data: st.DataObject
) -> None:
    """Names like sequences, sessions and counters, one grid for all, files missing: at worst nothing is matched."""
    root = tmp_path_factory.mktemp("tree")
    owner: dict[str, str] = {}
    for number, person in enumerate(people):
        for part, name in enumerate(LAYOUTS[layout]):
            if data.draw(st.booleans()):
                owner[name.format(p=person)] = person
                write(root, name.format(p=person), geometry=TEMPLATE, seed=10 * number + part)
    found = find_cases(root)
    for key, segmentation in pairs(found, root).items():
        assert segmentation is None or owner[key] == owner[segmentation], (key, segmentation)
    told = {problem.where for problem in found.problems}
    used = {case.key for case in found.cases} | set(filter(None, pairs(found, root).values()))
    assert set(owner) <= told | used, "nothing is lost without a word"
    shutil.rmtree(root)


def test_nnunet_channels_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "imagesTr/la_001_0000.nii.gz", "imagesTr/la_001_0001.nii.gz", "labelsTr/la_001.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT", "1": "PET"}}))
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"imagesTr/la_001_0000.nii.gz": "labelsTr/la_001.nii.gz"}
    assert codes(found) == {"imagesTr/la_001_0001.nii.gz": "NOT_A_CT"}


def test_a_folder_of_masks_is_one_segmentation(tmp_path: Path) -> None:
    for person in ("s0011", "s0012"):
        write(
            tmp_path,
            f"{person}/ct.nii.gz",
            *(f"{person}/segmentations/{n}.nii.gz" for n in ("brain", "skull", "aorta")),
        )
    hands = ("Eye_L", "Eye_R", "BrainStem", "Mandible", "Chiasm")
    write(tmp_path, "images/segrap_0001.ct.nii.gz", *(f"labels/segrap_0001/{name}.nrrd" for name in hands))
    (tmp_path / "meta.csv").write_text("image_id\n")
    assert found_in(tmp_path) == {
        "images/segrap_0001.ct.nii.gz": "labels/segrap_0001",
        **{f"{p}/ct.nii.gz": f"{p}/segmentations" for p in ("s0011", "s0012")},
    }


def test_cts_of_organs_are_no_masks(tmp_path: Path) -> None:
    save(ct(1), tmp_path / "images" / "liver.nii.gz")
    save(ct(2), tmp_path / "images" / "brain.nii.gz")
    assert found_in(tmp_path) == {"images/brain.nii.gz": None, "images/liver.nii.gz": None}


def test_masks_beside_their_ct_are_not_taken_for_one_segmentation(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct.nii.gz", "P1/brain_mask.nii.gz", "P1/skull_mask.nii.gz", "P1/aorta_mask.nii.gz")
    found = find_cases(tmp_path)
    assert not found.cases and sorted(codes(found).values()) == [*["ONE_OF_SEVERAL"] * 3, "SEVERAL_SEGMENTATIONS"]


def test_labels_with_the_name_of_their_image_are_told_by_their_voxels(tmp_path: Path) -> None:
    save(ct(1), tmp_path / "imagesTr" / "CT_001_0000.nii.gz")
    save(labels(), tmp_path / "labelsTr" / "CT_001.nii.gz")
    save(ct(2), tmp_path / "lesions" / "p1_ct.nii.gz")
    assert found_in(tmp_path) == {
        "imagesTr/CT_001_0000.nii.gz": "labelsTr/CT_001.nii.gz",
        "lesions/p1_ct.nii.gz": None,
    }


def test_bids_follows_entities(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text("{}")
    seg = "derivatives/totalseg/sub-{s}/ses-{v}/anat/sub-{s}_ses-{v}_space-{space}_dseg.nii.gz"
    cts = [f"sub-{s}/ses-{v}/ct/sub-{s}_ses-{v}_ct.nii.gz" for s in ("01", "02") for v in ("1", "2")]
    write(tmp_path, *cts, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz")
    write(tmp_path, seg.format(s="01", v="1", space="ct"), seg.format(s="01", v="2", space="ct"))
    write(tmp_path, seg.format(s="02", v="1", space="ct"), seg.format(s="01", v="1", space="T1w"))
    found = find_cases(tmp_path)
    assert found.kind == "bids"
    assert list(pairs(found, tmp_path).values()) == [
        seg.format(s="01", v="1", space="ct"),
        seg.format(s="01", v="2", space="ct"),
        seg.format(s="02", v="1", space="ct"),
        None,
    ]
    assert codes(found) == {
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": "NOT_A_CT",
        seg.format(s="01", v="1", space="T1w"): "OTHER_IMAGE",
    }


def test_bids_labels_without_a_run_need_the_grid_of_the_run(tmp_path: Path) -> None:
    for run in (1, 2):
        write(tmp_path, f"sub-1/ct/sub-1_run-{run}_ct.nii.gz", geometry=grid(run))
    write(tmp_path, "derivatives/x/sub-1/anat/sub-1_dseg.nii.gz", geometry=grid(2))
    assert found_in(tmp_path) == {
        "sub-1/ct/sub-1_run-1_ct.nii.gz": None,
        "sub-1/ct/sub-1_run-2_ct.nii.gz": "derivatives/x/sub-1/anat/sub-1_dseg.nii.gz",
    }


def test_names_that_say_nothing_are_read(tmp_path: Path) -> None:
    save(ct(1), tmp_path / "P1" / "a.nii.gz")
    save(labels(), tmp_path / "P1" / "b.nii.gz")
    save(mr(1), tmp_path / "P2" / "scan.nii.gz")
    save(Volume(np.full(SCANNER.shape_kji, 3, np.int16), SCANNER), tmp_path / "P3" / "x.nii.gz")
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"P1/a.nii.gz": "P1/b.nii.gz"}
    assert codes(found) == {
        "P1/b.nii.gz": "PAIRED_BY_GRID",
        "P2/scan.nii.gz": "NOT_A_CT",
        "P3/x.nii.gz": "UNKNOWN_IMAGE",
    }


def test_the_grid_pairs_what_names_do_not(tmp_path: Path) -> None:
    write(tmp_path, "images/aachen_ct.nii.gz", geometry=grid(1))
    write(tmp_path, "images/bonn_ct.nii.gz", geometry=grid(2))
    write(tmp_path, "done/7f3a_seg.nii.gz", geometry=grid(2))
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path)["images/bonn_ct.nii.gz"] == "done/7f3a_seg.nii.gz"
    assert codes(found) == {"done/7f3a_seg.nii.gz": "PAIRED_BY_GRID"}


def test_names_that_were_mixed_up_are_told_and_not_believed(tmp_path: Path) -> None:
    for own, said in ((1, 1), (2, 3), (3, 2)):
        write(tmp_path, f"p{own}_ct.nii.gz", geometry=grid(own))
        write(tmp_path, f"p{said}_seg.nii.gz", geometry=grid(own))
    write(tmp_path, "sub-4/sub-4_ct.nii.gz", "p5_seg.nii.gz", geometry=grid(4))
    write(tmp_path, "p5_ct.nii.gz")
    found = find_cases(tmp_path)
    assert {segmentation for segmentation in pairs(found, tmp_path).values() if segmentation} == {"p1_seg.nii.gz"}
    assert codes(found) == {f"p{number}_seg.nii.gz": "NAME_AGAINST_VOXELS" for number in (2, 3, 5)}


def test_a_segmentation_on_the_voxels_of_another_ct_of_the_same_person_is_that_ones(tmp_path: Path) -> None:
    write(tmp_path, "P1/CT.nii.gz", geometry=grid(1))
    write(tmp_path, "P1/CT_res.nii.gz", "P1/SEG.nii.gz")
    write(tmp_path, "P1/PET.nii.gz", geometry=grid(2))
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"P1/CT.nii.gz": None, "P1/CT_res.nii.gz": "P1/SEG.nii.gz"}
    assert codes(found) == {"P1/SEG.nii.gz": "PAIRED_BY_GRID", "P1/PET.nii.gz": "NOT_A_CT"}


def test_labels_that_have_the_whole_name_of_their_ct_are_told_by_their_voxels(tmp_path: Path) -> None:
    for number, person in enumerate(("A", "B")):
        save(ct(number), tmp_path / "data" / person / "1" / "ct.nii.gz")
        save(labels(), tmp_path / "labels" / person / "1" / "ct.nii.gz")
    save(ct(2), tmp_path / "labels" / "C" / "1" / "ct.nii.gz")
    assert found_in(tmp_path) == {
        "data/A/1/ct.nii.gz": "labels/A/1/ct.nii.gz",
        "data/B/1/ct.nii.gz": "labels/B/1/ct.nii.gz",
        "labels/C/1/ct.nii.gz": None,
    }


def test_two_that_fit_equally_well_are_not_chosen_from(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct.nii.gz", "P1/seg_Mueller.nii.gz", "P1/seg_Weber.nii.gz", "P2/ct.nii.gz", "P2/seg.nii.gz")
    found = find_cases(tmp_path)
    assert list(pairs(found, tmp_path)) == ["P2/ct.nii.gz"], "a wrong choice would be a wrong image"
    assert codes(found) == {
        "P1/ct.nii.gz": "SEVERAL_SEGMENTATIONS",
        **dict.fromkeys(("P1/seg_Mueller.nii.gz", "P1/seg_Weber.nii.gz"), "ONE_OF_SEVERAL"),
    }
    assert all("Mueller" not in p.what + p.remedy for p in found.problems)


def test_a_mask_of_a_lesion_does_not_displace_a_segmentation(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct.nii.gz", "P1/seg.nii.gz", "P1/lesion_mask.nii.gz")
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"P1/ct.nii.gz": "P1/seg.nii.gz"}
    assert codes(found) == {"P1/lesion_mask.nii.gz": "FURTHER_SEGMENTATION"}


def test_labels_of_the_mr_are_not_those_of_the_ct(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct.nii.gz", geometry=grid(1))
    write(tmp_path, "P1/t1.nii.gz", "P1/t1_seg.nii.gz", geometry=grid(2))
    write(tmp_path, "P2_ct.nii.gz", geometry=grid(3))
    write(tmp_path, "P2_mr.nii.gz", "P2_seg.nii.gz", geometry=grid(4))
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"P1/ct.nii.gz": None, "P2_ct.nii.gz": None}
    assert codes(found)["P1/t1_seg.nii.gz"] == codes(found)["P2_seg.nii.gz"] == "OTHER_IMAGE"


def test_one_segmentation_of_two_reconstructions_is_for_both(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct_soft.nii.gz", "P1/ct_bone.nii.gz", "P1/seg.nii.gz", geometry=grid(1))
    write(tmp_path, "P1/ct_thorax.nii.gz", geometry=grid(9))
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {
        "P1/ct_bone.nii.gz": "P1/seg.nii.gz",
        "P1/ct_soft.nii.gz": "P1/seg.nii.gz",
        "P1/ct_thorax.nii.gz": None,
    }
    assert codes(found) == {"P1/seg.nii.gz": "SHARED_SEGMENTATION"}


def test_people_whose_names_look_like_sequences_do_not_share(tmp_path: Path) -> None:
    """T1 and T2 are people here, and all have the grid of a template: nothing but the folder tells them apart."""
    write(tmp_path, "T1/ct.nii.gz", "T1/seg.nii.gz", "T2/ct.nii.gz", geometry=TEMPLATE)
    assert found_in(tmp_path) == {"T1/ct.nii.gz": "T1/seg.nii.gz", "T2/ct.nii.gz": None}
    write(tmp_path, "seg.nii.gz", geometry=TEMPLATE, seed=3)
    assert codes(find_cases(tmp_path)) == {"seg.nii.gz": "NO_CT"}


def test_axes_that_were_turned_on_the_way_do_not_matter(tmp_path: Path) -> None:
    flipped = Geometry(
        SCANNER.size_ijk, SCANNER.spacing_mm, tuple(SCANNER.index_to_lps([(5, 4, 0)])[0]), (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    )
    write(tmp_path, "P1/ct.nii.gz")
    write(tmp_path, "P1/2026/seg.nii.gz", geometry=flipped)
    assert found_in(tmp_path) == {"P1/ct.nii.gz": "P1/2026/seg.nii.gz"}


def test_copies_are_named_and_two_opinions_on_one_ct_are_two_cases(tmp_path: Path) -> None:
    write(tmp_path, "A/ct.nii.gz", "A/seg.nii.gz")
    shutil.copytree(tmp_path / "A", tmp_path / "copy of A")
    shutil.copytree(tmp_path / "A", tmp_path / "rater 2")
    write(tmp_path, "rater 2/seg.nii.gz", seed=9)
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"A/ct.nii.gz": "A/seg.nii.gz", "rater 2/ct.nii.gz": "rater 2/seg.nii.gz"}
    assert codes(found) == {"copy of A/ct.nii.gz": "DUPLICATE"}


def test_everything_is_said_and_problems_hold_no_names(tmp_path: Path) -> None:
    write(tmp_path, "Mueller/ct.nii.gz", "Weber/seg.nii.gz", "Weber/t1.nii.gz")
    (tmp_path / "Schulz.zip").write_bytes(b"PK")
    found = find_cases(tmp_path)
    text = found_text(found, tmp_path)
    for words in ("1 case, 1 of them without", "Mueller/ct.nii.gz  <-  no segmentation", "Weber/seg.nii.gz", "in .zip"):
        assert words in text
    counts = problem_counts(found.problems)
    assert [(code, number) for code, _, number in counts] == [
        ("OTHER_IMAGE", 1),
        ("FOREIGN_FORMAT", 1),
        ("NOT_A_CT", 1),
    ]
    assert not any(name in str(counts) for name in ("Mueller", "Weber", "Schulz"))


def test_the_collected_data_is_matched_as_it_is_named() -> None:
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not data.is_dir():
        pytest.skip("needs the collected data")
    found = find_cases(data)
    matched = pairs(found, data)
    assert len(matched) == len(list(data.glob("ct_*/*_ct.nii.gz")))
    for key, segmentation in matched.items():
        expected = key.replace("_ct.nii.gz", "_seg.nii.gz")
        assert segmentation == (expected if (data / expected).is_file() else None)
