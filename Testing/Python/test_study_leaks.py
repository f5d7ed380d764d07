"""A study that can be unblinded without looking at anatomy is refused, with the reason."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from leaking_study import HEADER, change_files, rewrite, voxels, with_field
from study_example import SECRET, turing_protocol, write_cases

from MedUSISLib.errors import MedUSISError
from MedUSISLib.study import leaks
from MedUSISLib.study.building import new_study
from MedUSISLib.study.key import load_key
from MedUSISLib.study.leaks import LeakReport, check_study
from MedUSISLib.study.trial_writing import FILE_TIME


@pytest.fixture(scope="module")
def sound_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaks")
    new_study(write_cases(folder / "in", 9), turing_protocol(), folder / "study", secret=SECRET)
    return folder / "study"


@pytest.fixture
def study(sound_study: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound_study, tmp_path / "study")


def spoil(study: Path, role: str, change: Callable[[bytes], bytes], only: int | None = None) -> LeakReport:
    change_files(study, [role], change, only)
    return check_study(study)


def codes(report: LeakReport) -> set[str]:
    return {finding.code for finding in report.leaks}


def test_a_sound_study_passes(sound_study: Path) -> None:
    report = check_study(sound_study)
    assert report.leaks == () and report.images == {"real": 9, "synthetic": 9}
    report.raise_if_leaking()


@pytest.mark.parametrize("role", ["real", "synthetic"])
def test_another_background_value_is_refused(study: Path, role: str) -> None:
    def brighter(content: bytes) -> bytes:
        array = voxels(content)
        array[array == 0] = 1
        return content[:HEADER] + array.tobytes()

    report = spoil(study, role, brighter)
    assert "BACKGROUND" in codes(report)
    with pytest.raises(MedUSISError, match=rf"background value: .*1 in 9 {role}") as caught:
        report.raise_if_leaking()
    assert "same value in all images" in caught.value.hint or "same range" in caught.value.hint


def test_another_header_is_refused(study: Path) -> None:
    # cal_max: the window that a viewer would open with.
    report = spoil(study, "synthetic", lambda c: with_field(c, 124, np.float32(1.2).tobytes()))
    assert codes(report) == {"HEADER"}
    with pytest.raises(MedUSISError, match="fields of the header: 0 of 9 real, 9 of 9 synthetic|9 of 9 real, 0 of 9"):
        report.raise_if_leaking()


def test_a_text_in_the_header_is_refused(study: Path) -> None:
    report = spoil(study, "synthetic", lambda c: with_field(c, 148, b"SYNTHETIC - by Jane Doe"))
    assert {"HEADER", "HEADER_TEXT"} <= codes(report)
    assert "Jane" not in str(report.summary())


def test_another_spacing_is_refused(study: Path) -> None:
    def scaled(content: bytes) -> bytes:
        content = with_field(content, 80, np.array([5.05, 5.0, 5.0], np.float32).tobytes())
        return with_field(content, 280, np.float32(-5.05).tobytes())

    report = spoil(study, "real", scaled)
    assert {"SPACING", "RAW_SPACING"} <= codes(report)
    with pytest.raises(MedUSISError, match="voxel spacing"):
        report.raise_if_leaking()


def test_larger_files_are_refused(study: Path) -> None:
    report = spoil(study, "real", lambda c: c + bytes(1000))
    assert "FILE_SIZE" in codes(report)
    with pytest.raises(MedUSISError, match=r"file size: .*9 of 9"):
        report.raise_if_leaking()


def test_one_odd_file_is_enough(study: Path) -> None:
    report = spoil(study, "real", lambda c: c + b"\0", only=1)
    assert "FILE_SIZE" in codes(report) and "1 of 9 real, 0 of 9 synthetic" in str(report.summary())


def test_packed_files_are_refused(study: Path) -> None:
    report = spoil(study, "real", lambda c: gzip.compress(c, mtime=0))
    assert {"PACKING", "FILE_SIZE"} <= codes(report)


def test_a_comb_in_the_histogram_is_refused(study: Path) -> None:
    """What an 8-bit source leaves when it is stretched: every third grey value is there, the others are not."""
    report = spoil(study, "real", lambda c: c[:HEADER] + ((voxels(c) // 3) * 3).tobytes())
    assert "STEPS" in codes(report)


def test_noise_in_the_air_is_refused(study: Path) -> None:
    random = np.random.default_rng(0)

    def noisy(content: bytes) -> bytes:
        array = voxels(content)
        air = (array == 0) & (random.random(array.size) < 0.1)
        array[air] = 8
        return content[:HEADER] + array.tobytes()

    assert "AIR_NOISE" in codes(spoil(study, "real", noisy))


def test_another_mask_is_refused(study: Path) -> None:
    def eroded(content: bytes) -> bytes:
        from scipy.ndimage import binary_erosion

        array = voxels(content).reshape(32, 40, 32)
        array[~binary_erosion(array > 0, iterations=2)] = 0
        return content[:HEADER] + array.tobytes()

    assert "FOREGROUND" in codes(spoil(study, "synthetic", eroded))


def test_small_differences_together_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two figures alone says little, both together decide."""
    random = np.random.default_rng(1)
    real = np.arange(60) < 30
    along = random.normal(0, 3, 60)
    table = np.stack([along + real, along - real], axis=1)
    cases = [f"C{n % 30}" for n in range(60)]
    accuracy, p = leaks._classifier(np.stack([real + random.normal(0, 0.7, 60) for _ in range(4)], 1), real, cases)
    assert accuracy > 0.75 and p <= 0.01
    accuracy, p = leaks._classifier(random.normal(size=(60, 4)), real, cases)
    assert p > 0.01
    assert leaks._classifier(np.ones((60, 2)), real, cases) == (0.5, 1.0)
    assert table.shape == (60, 2)


def test_a_check_of_nothing_rarely_finds_something() -> None:
    """Rank test with Holm's correction at 1 %: 400 studies without a difference."""
    random = np.random.default_rng(2)
    real = np.arange(24) < 12
    found = 0
    for _ in range(400):
        tests = sorted(leaks._separation(random.normal(size=24), real)[0] for _ in range(4))
        found += tests[0] * 4 < leaks.LEVEL
    assert found / 400 < 0.025


def test_telling_names_unknown_missing_and_changed_files_are_refused(study: Path) -> None:
    trials = study / "trials"
    (trials / "real_01.nii").write_bytes(b"x")
    first, second = sorted(trials.glob("?" * 16 + ".nii"))[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1] + b"\7")
    os.utime(second, (FILE_TIME, FILE_TIME))
    assert {"FILE_NAME", "FILE_UNKNOWN", "FILE_MISSING", "FILE_CHANGED"} <= codes(check_study(study))


def test_times_and_rights_of_files_are_looked_at(study: Path) -> None:
    key = load_key(study)
    for image in key.images:
        if image.role == "real":
            os.utime(study / "trials" / f"{image.name}.nii", (FILE_TIME + 60, FILE_TIME + 60))
            os.chmod(study / "trials" / f"{image.name}.nii", 0o600)
    assert {"FILE_TIME", "FILE_RIGHTS"} <= codes(check_study(study))


def test_a_damaged_image_is_named_so(study: Path) -> None:
    assert "FILE_UNREADABLE" in codes(spoil(study, "real", lambda c: c[:5000], only=1))


def test_an_order_that_tells_the_arm_is_refused(study: Path) -> None:
    key = load_key(study)
    mine = sorted((t for t in key.trials if t.reader == "R1"), key=lambda t: (not t.training, t.right_answer))
    moved = [t.model_copy(update={"position": n}) for n, t in enumerate(mine, start=1)]
    rewrite(study, key, trials=[*moved, *(t for t in key.trials if t.reader != "R1")])
    report = check_study(study)
    assert codes(report) == {"TRIAL_ORDER"} and "reader R1" in report.leaks[0].what


def test_names_in_the_order_of_the_arms_are_refused(study: Path) -> None:
    key = load_key(study)
    names = sorted(i.name for i in key.images)
    new = dict(zip([i.name for i in sorted(key.images, key=lambda i: i.role)], names, strict=True))
    for old in new:
        (study / "trials" / f"{old}.nii").rename(study / "trials" / f"{old}.tmp")
    for old, name in new.items():
        (study / "trials" / f"{old}.tmp").rename(study / "trials" / f"{name}.nii")
    trials = [
        t.model_copy(
            update={"stages": tuple(s.model_copy(update={"images": tuple(new[n] for n in s.images)}) for s in t.stages)}
        )
        for t in key.trials
    ]
    rewrite(study, key, images=[i.model_copy(update={"name": new[i.name]}) for i in key.images], trials=trials)
    assert codes(check_study(study)) == {"FILE_ORDER"}


def test_every_finding_says_what_to_do(study: Path) -> None:
    report = spoil(study, "real", lambda c: c + b"\0")
    for row in report.summary()["findings"]:  # type: ignore[attr-defined]
        assert row["title"] and row["what"] and row["remedy"]


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="not the folder of a study"):
        check_study(tmp_path)
