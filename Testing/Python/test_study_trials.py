"""A table of cases becomes blinded trials and a key."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest
from study_example import (
    FORM,
    SECRET,
    Head,
    grid,
    lesion_protocol,
    turing_protocol,
    write_case,
    write_cases,
    write_table,
)

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.study.building import NewStudy, new_study
from MedUSISLib.study.case_table import read_case_table
from MedUSISLib.study.common_form import DESCRIPTION, blinded_grey, mr_body_mask
from MedUSISLib.study.key import Key, load_key, load_study
from MedUSISLib.study.protocol import Arm, Display, Protocol, lesion_reading, load_protocol, visual_turing
from MedUSISLib.study.versioned import to_json

pytestmark = pytest.mark.usefixtures("same_secrets")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 7)


@pytest.fixture(scope="module")
def study(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("turing") / "study"
    assert new_study(table, turing_protocol(), out, secret=SECRET) == NewStudy(7, 14, 32, 6, remarks_of(out))
    return out


def remarks_of(study: Path) -> tuple[str, ...]:
    from MedUSISLib.study.leaks import check_study

    return tuple(f"{f.title}: {f.what}" for f in check_study(study).findings)


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_nothing_of_a_study_names_a_patient(study: Path) -> None:
    names = " ".join(path.as_posix() for path in study.rglob("*"))
    for forbidden in ("Doe", "Jane", "hospital"):
        assert forbidden not in names and forbidden.encode() not in all_bytes(study)


def test_trials_differ_in_nothing_but_their_voxels(study: Path) -> None:
    files = sorted((study / "trials").iterdir())
    assert len(files) == 14 and len({f.stat().st_size for f in files}) == 1
    assert len({f.read_bytes()[:352] for f in files}) == 1
    assert len({f.stat().st_mtime for f in files}) == 1
    assert DESCRIPTION.encode() in files[0].read_bytes()[:352]
    key = load_key(study)
    assert {f.stem for f in files} == {image.name for image in key.images}


def test_the_same_anatomy_lies_at_the_same_place_in_both_arms(study: Path) -> None:
    """The real MR is oblique and has another spacing; after the common form it lies on the synthetic one."""
    key = load_key(study)
    for case in key.cases:
        images = {i.role: read_volume(study / "trials" / f"{i.name}.nii") for i in key.images if i.case == case.id}
        real, synthetic = (images[r].array_kji.astype(float) for r in ("real", "synthetic"))
        in_place = np.corrcoef(real.ravel(), synthetic.ravel())[0, 1]
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
            moved = np.roll(real, step, axis)
            assert in_place > np.corrcoef(moved.ravel(), synthetic.ravel())[0, 1] + 0.03
        assert in_place > 0.95
        assert images["real"].geometry.centre_lps == pytest.approx([0, 0, 0])


def test_lesions_are_where_they_were(study: Path) -> None:
    key = load_key(study)
    for case in key.cases:
        assert case.status is (case.row % 2 == 1) and len(case.lesions) == (2 if case.status else 0)
        labels = read_label_map(study / "truth" / f"{case.id}.nii.gz")
        assert labels.array_kji.max() == len(case.lesions)
        if case.lesions:
            apart = np.subtract(*[lesion.centre_lps_mm for lesion in case.lesions])
            assert np.linalg.norm(apart) == pytest.approx(np.linalg.norm([45, 30, -10]), abs=4)


def test_key_and_orders_fit_together(study: Path) -> None:
    protocol, key = load_study(study)
    assert stat.S_IMODE((study / "key.json").stat().st_mode) == 0o600
    for reader in protocol.readers:
        trials = key.trials_of(reader)
        assert [t.position for t in trials] == list(range(1, 17))
        assert [t.training for t in trials] == [True] * 2 + [False] * 14
        for trial in trials:
            (stage,) = trial.stages
            assert key.image_of[stage.images[0]].role == trial.right_answer == stage.arm
            assert key.image_of[stage.images[0]].case == trial.case and stage.places == ("mr",)
            if trial.repeat_of:
                first = key.trial_of[trial.repeat_of]
                assert first.stages == trial.stages and first.position < trial.position
    with pytest.raises(MedUSISError, match="R1, R2"):
        key.trials_of("R9")


def test_the_same_secret_gives_the_same_study_and_another_one_other_names(
    study: Path, table: Path, tmp_path: Path
) -> None:
    key = load_key(study)
    new_study(table, turing_protocol(), tmp_path / "again", secret=key.secret)
    assert all_bytes(tmp_path / "again") == all_bytes(study)
    new_study(table, turing_protocol(), tmp_path / "other")
    assert not {i.name for i in load_key(tmp_path / "other").images} & {i.name for i in key.images}


def test_a_protocol_changed_behind_the_key_is_noticed(study: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(study, tmp_path / "copy")
    changed = Protocol.model_validate({**load_protocol(copy).model_dump(), "allow_back": True})
    (copy / "protocol.json").write_text(to_json(changed))
    with pytest.raises(MedUSISError, match="protocol was changed"):
        load_study(copy)


def test_a_failed_study_leaves_nothing(table: Path, tmp_path: Path) -> None:
    broken = tmp_path / "in"
    broken.mkdir()
    row = write_case(broken, Head(1), "Doe")
    (broken / "Doe_syn.nii.gz").write_bytes(b"not an image")
    with pytest.raises(MedUSISError) as caught:
        new_study(write_table(broken / "t.csv", [row]), turing_protocol(), tmp_path / "study")
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "Doe" not in str(caught.value)
    assert "line 2" in str(caught.value) and list(tmp_path.iterdir()) == [broken]


def test_a_study_is_not_made_over_another_one(study: Path, table: Path) -> None:
    """Packages that are out need its key."""
    before = all_bytes(study)
    with pytest.raises(MedUSISError, match="its key would be lost"):
        new_study(table, turing_protocol(), study)
    assert all_bytes(study) == before


def test_lesions_too_small_for_the_trials_are_told(tmp_path: Path) -> None:
    """A mask finer than the trials' voxels of 5 mm: one speck of it vanishes."""
    row = write_case(tmp_path, Head(1, ((20.0, 10.0, 0.0),)), "a")
    geometry = grid((96, 116, 96), (1.5, 1.5, 1.5))
    mask = Head(1, ((20.0, 10.0, 0.0),)).mask(geometry)
    mask[40, 30, 40] = 1
    write_volume(Volume(mask, geometry), tmp_path / "a_mask.nii.gz")
    out = tmp_path / "study"
    made = new_study(write_table(tmp_path / "t.csv", [row | {"training": "no"}]), lesion_protocol(), out)
    assert made.lesions == 1
    assert [r for r in made.remarks if r.startswith("lesions: of the 2 in the mask of line 2, 1 count")]


def test_forced_choice_shows_both_and_knows_the_side(table: Path, tmp_path: Path) -> None:
    protocol = visual_turing("heads", ("R1",), forced_choice=True)
    protocol = Protocol.model_validate({**protocol.model_dump(), "common_form": FORM})
    new_study(table, protocol, tmp_path / "study", secret=SECRET)
    key = load_key(tmp_path / "study")
    sides = []
    for trial in key.trials_of("R1"):
        (stage,) = trial.stages
        assert stage.places == ("left", "right")
        real = stage.places[[key.image_of[name].role for name in stage.images].index("real")]
        assert real == trial.right_answer
        sides.append(real)
    assert abs(sides.count("left") - sides.count("right")) <= 1


def lesion_study(table: Path, out: Path, design: str) -> Key:
    base = lesion_reading("heads", ("R1", "R2"), design=design)  # type: ignore[arg-type]
    new_study(table, Protocol.model_validate({**base.model_dump(), "common_form": FORM}), out, secret=SECRET)
    return load_key(out)


def test_sequential_reading_shows_the_ct_first_and_then_both(table: Path, tmp_path: Path) -> None:
    key = lesion_study(table, tmp_path / "s", "sequential")
    for trial in key.trials_of("R1"):
        first, second = trial.stages
        assert (first.arm, second.arm) == ("ct", "ct-synthetic")
        assert first.places == ("ct",) and second.places == ("ct", "mr") and second.images[0] == first.images[0]
    assert {image.role for image in key.images} == {"ct", "synthetic"}
    ct = next(image.name for image in key.images if image.role == "ct")
    volume = read_volume(tmp_path / "s" / "trials" / f"{ct}.nii")
    assert volume.array_kji.dtype == np.int16 and volume.array_kji.min() == -1024


def test_two_real_images_of_a_case_are_read_side_by_side(table: Path, tmp_path: Path) -> None:
    """A FLAIR beside the T1; here the files called synthetic stand for it."""
    flair = tmp_path / "cases.csv"
    flair.write_text(table.read_text().replace("synthetic", "second", 1).replace("Doe_", f"{table.parent}/Doe_"))
    arms = (Arm(id="t1", panels=("real",)), Arm(id="t1-flair", panels=("real", "second")))
    protocol = lesion_reading("heads", ("R1",), arms=arms)
    new_study(flair, Protocol.model_validate({**protocol.model_dump(), "common_form": FORM}), tmp_path / "s")
    key = load_key(tmp_path / "s")
    both = next(trial for trial in key.trials if trial.stages[0].arm == "t1-flair")
    assert both.stages[0].places == ("mr", "mr")
    assert [key.image_of[name].role for name in both.stages[0].images] == ["real", "second"]


def test_a_crossover_gives_each_reader_one_arm_per_session(table: Path, tmp_path: Path) -> None:
    key = lesion_study(table, tmp_path / "s", "crossover")
    arms = {
        (t.reader, t.session): {
            x.stages[0].arm for x in key.trials_of(t.reader) if x.session == t.session and not x.training
        }
        for t in key.trials
    }
    assert arms[("R1", 1)] == {"ct"} == arms[("R2", 2)] and arms[("R1", 2)] == {"ct-synthetic"} == arms[("R2", 1)]


def test_slices_are_cut_at_the_same_place_in_both_arms(table: Path, tmp_path: Path) -> None:
    protocol = turing_protocol(display=Display(mode="slice", plane="coronal"))
    new_study(table, protocol, tmp_path / "s", secret=SECRET)
    key = load_key(tmp_path / "s")
    for case in key.cases:
        real, synthetic = (
            read_volume(tmp_path / "s" / "trials" / f"{i.name}.nii") for i in key.images if i.case == case.id
        )
        assert real.geometry.size_ijk[1] == 1 and real.geometry == synthetic.geometry
        a, b = real.array_kji.astype(float), synthetic.array_kji.astype(float)
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9


def test_images_of_a_case_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    row = write_case(tmp_path, Head(1), "Doe")
    volume = read_volume(tmp_path / row["synthetic"])
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.writing import write_volume

    moved = Geometry(volume.geometry.size_ijk, volume.geometry.spacing_mm, (900.0, 900.0, 900.0))
    write_volume(Volume(volume.array_kji, moved), tmp_path / row["synthetic"])
    with pytest.raises(MedUSISError, match="line 2 .* do not lie at the same place"):
        new_study(write_table(tmp_path / "t.csv", [row]), turing_protocol(), tmp_path / "s")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"synthetic": ""}, "lacks an image"),
        ({"real": "nowhere.nii"}, "does not exist"),
        ({"status": "perhaps"}, "neither yes nor no"),
        ({"slice": "2"}, "between 0 and 1"),
        ({"case": ""}, "has no case"),
        ({"status": "no"}, "contradicts"),
    ],
)
def test_what_is_wrong_in_the_table_is_named_by_line(change: dict[str, str], reason: str, tmp_path: Path) -> None:
    rows = [
        write_case(tmp_path, Head(n, ((20.0, 10.0, 0.0),)), f"Doe{n}") | {"status": "", "slice": ""} for n in (1, 2)
    ]
    rows[1] |= change
    with pytest.raises(MedUSISError, match=reason) as caught:
        protocol = lesion_protocol(arms=({"id": "a", "panels": ("real",)}, {"id": "b", "panels": ("synthetic",)}))
        new_study(write_table(tmp_path / "t.csv", rows), protocol, tmp_path / "s")
    assert "line 3" in str(caught.value) and "Doe" not in str(caught.value)


def test_the_same_image_twice_is_refused(tmp_path: Path) -> None:
    row = write_case(tmp_path, Head(1), "Doe")
    rows = [row, row | {"case": "Other"}]
    with pytest.raises(MedUSISError, match="line 3 .* image of line 2 again"):
        new_study(write_table(tmp_path / "t.csv", rows), turing_protocol(), tmp_path / "s")
    rows = [row | {"synthetic": row["real"]}]
    with pytest.raises(MedUSISError, match="same image as real and as synthetic"):
        new_study(write_table(tmp_path / "t.csv", rows), turing_protocol(), tmp_path / "s")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(delimiter: str, table: Path, tmp_path: Path) -> None:
    text = table.read_text().replace(",", delimiter).replace("Doe_Jane_1_t1", str(table.parent / "Doe_Jane_1_t1"))
    copy = table.parent / f"copy{ord(delimiter)}.csv"
    copy.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    rows = read_case_table(copy)
    assert [row.row for row in rows] == list(range(2, 9)) and rows[0].training and not rows[1].training
    copy.unlink()


@pytest.mark.parametrize("content", ["", "case,real\n", "real\na\n", "case,case\n", "case,colour\n1,2\n", "case\n1\n"])
def test_what_is_no_table_of_cases_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(MedUSISError) as caught:
        read_case_table(tmp_path / "t.csv")
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_an_8_bit_image_leaves_no_gaps_in_the_histogram() -> None:
    head = Head(3)
    from study_example import CT_GRID

    floats = Volume(
        (head.mr(CT_GRID) + 0.03 * np.random.default_rng(0).normal(size=CT_GRID.shape_kji)).astype(np.float32), CT_GRID
    )
    coarse = floats.with_array(np.rint(np.clip(floats.array_kji, 0, 1.2) * 80).astype(np.uint8))
    keep = head.mr(CT_GRID) > 0
    counts = []
    for volume in (floats, coarse):
        grey = blinded_grey(volume, CT_GRID, keep, FORM, np.random.default_rng(1))
        counts.append(len(np.unique(grey[keep])))
    assert counts[1] > 0.9 * counts[0]
    undone = np.unique(np.rint(coarse.array_kji[keep] / coarse.array_kji.max() * 255))
    assert len(undone) < 0.5 * counts[0]


def test_the_body_of_an_mr_is_found_with_its_dark_skull_and_without_air() -> None:
    from study_example import MR_GRID

    head = Head(2)
    random = np.random.default_rng(0)
    clean = head.mr(MR_GRID)
    noisy = np.hypot(clean + random.normal(0, 0.04, clean.shape), random.normal(0, 0.04, clean.shape))
    mask = mr_body_mask(Volume(noisy.astype(np.float32), MR_GRID))
    body = clean > 0
    assert 2 * (mask & body).sum() / (mask.sum() + body.sum()) > 0.97
    assert not mr_body_mask(Volume(np.zeros_like(noisy, np.float32), MR_GRID)).any()


def test_the_key_is_json_that_says_what_it_is(study: Path) -> None:
    content = json.loads((study / "key.json").read_text())
    assert content["version"] == 1 and "Do not give it to readers" in content["notice"]


def test_names_that_part_the_arms_by_chance_are_drawn_again(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, one study of 8 real and 8 synthetic images in a thousand would be refused by its own check."""
    from MedUSISLib.study.trial_writing import TrialWriter

    drawn = []
    original = TrialWriter._random_names

    def unlucky(self: TrialWriter, purpose: str, count: int) -> list[str]:
        names = original(self, purpose, count)
        if purpose.startswith("images"):
            drawn.append(purpose)
        if purpose == "images 0":
            half = sorted(names)
            return [half[n // 2 + (count // 2 if n % 2 else 0)] for n in range(count)]
        return names

    monkeypatch.setattr(TrialWriter, "_random_names", unlucky)
    new_study(table, turing_protocol(), tmp_path / "s", secret=SECRET)
    assert drawn[:2] == ["images 0", "images 1"]
