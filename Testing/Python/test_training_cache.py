"""Prepared cases: made once, by content and settings, in parallel, and whole or not at all whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from training_example import Recorder, tiny_training, write_head

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.grid import GridSpec
from MedUSISLib.training import case_preparation
from MedUSISLib.training.array_store import ArrayStore
from MedUSISLib.training.case_preparation import case_key
from MedUSISLib.training.cases import Case
from MedUSISLib.training.data_configuration import ImageSource, LabelSource
from MedUSISLib.training.preparation import prepare_cases

HEAD = load_schema("head")


@pytest.fixture
def sources(tmp_path: Path) -> list[ImageSource | LabelSource]:
    heads = [write_head(tmp_path, f"patient-{n}", n) for n in range(3)]
    images: list[ImageSource | LabelSource] = [
        ImageSource(image=image, labels=labels, person=str(n)) for n, (image, labels) in enumerate(heads)
    ]
    return [*images, LabelSource(labels=heads[0][1], mapping="head", person="0")]


@pytest.fixture
def corrected(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each image that is prepared in this process."""
    calls: list[int] = []

    def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return real(*arguments, **named)

    real = case_preparation.n4
    monkeypatch.setattr(case_preparation, "n4", counted)
    return calls


def prepared(sources: Any, cache: Path, recorder: Recorder | None = None, **how: Any) -> list[Case]:
    return prepare_cases(sources, how.pop("schema", HEAD), cache, recorder or Recorder(), workers=1, **how)


def assert_same(one: list[Case], two: list[Case]) -> None:
    for first, second in zip(one, two, strict=True):
        assert first.person == second.person and first.thickness_mm == second.thickness_mm
        assert np.array_equal(first.labels_kji, second.labels_kji)
        if first.image_kji is not None:
            assert second.image_kji is not None and np.array_equal(first.image_kji, second.image_kji)


def test_a_case_is_prepared_once_and_neither_names_nor_dates_count(sources, corrected, tmp_path: Path) -> None:
    first = prepared(sources, tmp_path / "cache")
    assert len(corrected) == 3
    moved = []
    for number, source in enumerate(sources[:3]):
        other = tmp_path / f"renamed-{number}.nii.gz"
        other.write_bytes(source.image.read_bytes())
        os.utime(other, (1, 1))
        moved.append(source.model_copy(update={"image": other, "person": f"other-{number}"}))
    again = prepared([*moved, sources[3]], tmp_path / "cache")
    assert len(corrected) == 3
    assert [case.person for case in again] == ["other-0", "other-1", "other-2", "0"]
    assert all(np.array_equal(a.labels_kji, b.labels_kji) for a, b in zip(first, again, strict=True))


def test_content_and_settings_make_another_case(sources, tmp_path: Path) -> None:
    image = sources[0]
    table = tmp_path / "table.csv"
    table.write_text("value,name,class\n" + "".join(f"{n},x{n},{HEAD.names[n]}\n" for n in range(1, 16)))
    tabled = image.model_copy(update={"mapping": str(table)})
    lesions = image.model_copy(update={"lesions": sources[1].labels})
    other_schema = HEAD.model_copy(update={"version": "9.9.9"})
    keys = [case_key(one, HEAD) for one in (image, tabled, lesions, sources[1], sources[3])]
    keys += [case_key(image, other_schema), case_key(image, HEAD, GridSpec((2.0, 2.0, 2.0), None, isotropic=True))]
    table.write_text(table.read_text().replace(f"1,x1,{HEAD.names[1]}", f"1,x1,{HEAD.names[2]}"))
    keys.append(case_key(tabled, HEAD))
    content = bytearray(image.image.read_bytes())
    before = image.image.stat()
    content[-1] ^= 1
    image.image.write_bytes(content)
    os.utime(image.image, ns=(before.st_atime_ns, before.st_mtime_ns))  # same name, size and date
    keys.append(case_key(image, HEAD))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("harm", ["a flipped bit", "cut short", "emptied", "another format"])
def test_a_damaged_file_is_noticed_and_made_again(sources, corrected, tmp_path: Path, harm: str) -> None:
    cache = tmp_path / "cache"
    first = [case for case in prepared(sources[:1], cache)]
    labels = first[0].labels_kji.copy()
    path = ArrayStore(cache).path(case_key(sources[0], HEAD))
    content = bytearray(path.read_bytes())
    del first
    if harm == "a flipped bit":
        content[len(content) // 2] ^= 4
    path.unlink()
    path.write_bytes({"cut short": content[:-100], "emptied": b"", "another format": b"PK" * 500}.get(harm, content))
    recorder = Recorder()
    (again,) = prepared(sources[:1], cache, recorder)
    assert len(corrected) == 2
    assert [code for code, _ in recorder.warnings] == ["CACHE_DAMAGED"]
    assert "image 1" in recorder.warnings[0][1] and "patient" not in recorder.warnings[0][1]
    assert np.array_equal(again.labels_kji, labels)


def test_the_cache_of_version_0_1_is_taken_over(sources, corrected, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    key = case_key(sources[0], HEAD)
    cache.mkdir()
    labels = np.full((3, 4, 5), 9, np.uint8)
    image = np.full((3, 4, 5), 0.7, np.float16)
    np.savez_compressed(cache / f"case-{key}.npz", labels=labels, image=image, thickness=np.asarray(2.0))
    (case,) = prepared(sources[:1], cache)
    assert not corrected and case.thickness_mm == 2 and case.acquired_mm is None
    assert np.array_equal(case.labels_kji, labels)
    (cache / f"case-{key}.npz").write_bytes(b"damaged")
    del case
    ArrayStore(cache).path(key).unlink()
    prepared(sources[:1], cache)
    assert len(corrected) == 1


def test_boxes_get_an_isotropic_grid_from_what_slices_have_prepared(sources, corrected, tmp_path: Path) -> None:
    flat, other = prepared(sources[2:], tmp_path / "cache")
    spec = GridSpec((2.0, 2.0, 2.0), None, isotropic=True)
    box, labels = prepared(sources[2:], tmp_path / "cache", spec=spec)
    assert len(corrected) == 1
    assert (flat.thickness_mm, box.thickness_mm, box.acquired_mm) == (1.0, 2.0, 1.0)
    assert box.image_kji is not None and box.image_kji.shape == box.labels_kji.shape and labels.image_kji is None
    half = [n / 2 for n in flat.labels_kji.shape]
    assert all(abs(n - h) <= 5 for n, h in zip(box.labels_kji.shape, half, strict=True))
    inside = box.image_kji[box.labels_kji == 9].astype(np.float32)
    assert np.median(inside) == pytest.approx(0.7, abs=0.02)


def test_several_processes_prepare_the_same_as_one(sources, tmp_path: Path) -> None:
    recorder = Recorder()
    parallel = prepare_cases(sources, HEAD, tmp_path / "parallel", recorder, workers=2)
    assert "preparing the data: 4 of 4 cases are new" in recorder.stages
    assert_same(prepared(sources, tmp_path / "one"), parallel)
    assert not [path for path in (tmp_path / "parallel").iterdir() if path.suffix != ".safetensors"]


def test_what_is_wrong_with_one_case_is_said_after_the_others_are_done(sources, corrected, tmp_path: Path) -> None:
    sources[1].image.write_bytes(b"not a volume")
    recorder = Recorder()
    with pytest.raises(MedUSISError) as caught:
        prepared(sources, tmp_path / "cache", recorder)
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and caught.value.path == sources[1].image
    assert [code for code, _ in recorder.warnings] == ["CASE_NOT_PREPARED"]
    assert recorder.warnings[0][1].startswith("image 2: ")
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 3
    sources[2].image.write_bytes(b"not a volume either")
    with pytest.raises(MedUSISError, match="2 of 2 cases"):
        prepared(sources, tmp_path / "cache")
    assert len(corrected) == 2


def test_a_cancelled_preparation_goes_on_where_it_was(sources, corrected, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError) as caught:
        prepared(sources, tmp_path / "cache", Recorder(cancel_after=2))
    assert caught.value.code is ErrorCode.CANCELLED
    assert len(corrected) == 2
    prepared(sources, tmp_path / "cache")
    assert len(corrected) == 3


SCRIPT = """
    import sys, time
    from pathlib import Path
    from MedUSISLib.training import array_store, case_preparation
    from MedUSISLib.training.configuration import read_configuration
    from MedUSISLib.training.preparation import prepare_cases
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.progress import Progress

    config, journal, halt = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "halt"
    real, to_bytes = case_preparation.n4, array_store.to_bytes

    def n4(*arguments, **named):
        with journal.open("a") as file:
            file.write("begun\\n")
        time.sleep(0.3)
        return real(*arguments, **named)

    def halting(*arguments):
        if halt and journal.read_text().count("begun") == 2:
            print("about to write the second case", flush=True)
            time.sleep(60)
        return to_bytes(*arguments)

    case_preparation.n4, array_store.to_bytes = n4, halting
    c = read_configuration(config)
    prepare_cases(c.data.sources, load_schema("head"), c.cache, Progress(), workers=1)
    print("done", flush=True)
"""


def start(tmp_path: Path, journal: Path, halt: str = "") -> subprocess.Popen[str]:
    import yaml

    configuration = tiny_training(tmp_path, cache=str(tmp_path / "cache"))
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(configuration.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / "c.yaml"), str(journal), halt]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_a_killed_preparation_keeps_what_was_finished_and_uses_nothing_half_written(corrected, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    process = start(tmp_path, journal, "halt")
    assert process.stdout is not None
    assert "second" in process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    configuration = tiny_training(tmp_path, cache=str(tmp_path / "cache"))
    finished = sorted((tmp_path / "cache").glob("*.safetensors"))
    assert len(finished) == 1
    key = case_key(configuration.data.images[1], HEAD)
    # What a writer leaves that is killed a moment later.
    half = tmp_path / "cache" / f"case-{key}.safetensors.0123abcd.tmp"
    half.write_bytes(finished[0].read_bytes()[:1000])
    cases = prepared(configuration.data.sources, tmp_path / "cache")
    assert len(corrected) == 2  # of three images, one was finished before
    assert not list((tmp_path / "cache").glob("*.tmp"))
    assert_same(cases, prepared(configuration.data.sources, tmp_path / "another"))


def test_trainings_that_share_a_cache_prepare_each_case_once(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    processes = [start(tmp_path, journal) for _ in range(2)]
    for process in processes:
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0 and "done" in said
    assert journal.read_text().splitlines() == ["begun"] * 3


def test_processes_end_with_a_parent_that_was_killed() -> None:
    script = """
        import time
        from MedUSISLib.dataset.workers import for_each
        from MedUSISLib.progress import Progress
        print("begun", flush=True)
        list(for_each(time.sleep, [600, 600, 600], 2, Progress(), print))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    parent, deadline = psutil.Process(process.pid), time.monotonic() + 120
    while len(workers := [p for p in parent.children() if "spawn_main" in " ".join(p.cmdline())]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)  # they have begun their first task, mostly; before that they end by themselves
    process.kill()
    process.wait()
    gone, left = psutil.wait_procs(workers, timeout=300)
    assert len(gone) == 2 and not left
