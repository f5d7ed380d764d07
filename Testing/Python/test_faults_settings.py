"""Faults of settings and tables by name: pipes, bombs, depths, keys twice, no numbers; in jobs and commands."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from faults.images import KINDS as IMAGES
from faults.images import file_of
from faults.kind import NAME
from faults.settings import KINDS as SETTINGS
from faults.study_files import KINDS as STUDIES
from faults.verdict import time_limit
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import read_manifest
from MedUSISLib.jobs.events import parse_event
from MedUSISLib.jobs.run import run_job
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.worker_words import Order, parse_word
from MedUSISLib.output_directory import MARKER_NAME, atomic_output_directory, written_files
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json
from MedUSISLib.study.case_table import read_case_table
from MedUSISLib.study.package import open_package
from MedUSISLib.study.protocol import load_protocol
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.training.configuration import read_configuration

pytestmark = pytest.mark.fault("settings")
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes and devices among its files")
SAMPLES = {kind.name: kind for kind in (*SETTINGS, *IMAGES, *STUDIES)}
READERS = {
    "job": JobSpecification.read,
    "training": read_configuration,
    "table.csv": lambda path: load_mapping(path, "head"),
    "schema.json": load_schema,
    "dataset.json": load_dataset,
    "protocol.json": load_protocol,
    "manifest.json": lambda path: read_manifest(path.parent),
    "ratings": RatingTable.from_csv,
    "cases": read_case_table,
    "package.zip": open_package,
    "batch.csv": find_cases,
}


def refused(reader, path: Path) -> MedUSISError:
    with time_limit(60), pytest.raises(MedUSISError) as caught:
        reader(path)
    assert caught.value.code is not ErrorCode.INTERNAL
    assert caught.value.hint, caught.value
    return caught.value


@UNIX
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_in_place_of_settings_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    refused(READERS[name], tmp_path / name)


@UNIX
@pytest.mark.parametrize("name", ["job", "training", "ratings", "cases"])
def test_a_device_in_place_of_settings_is_not_read_without_end(name: str) -> None:
    refused(READERS[name], Path("/dev/zero"))


@pytest.mark.parametrize("name", READERS)
def test_a_folder_or_nothing_in_place_of_settings(tmp_path: Path, name: str) -> None:
    refused(READERS[name], tmp_path / name)
    if name not in ("dataset.json", "protocol.json", "package.zip", "batch.csv"):
        (tmp_path / name).mkdir()
        refused(READERS[name], tmp_path / name)


def test_a_small_file_is_bounded_also_when_it_is_not_small(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(1001))
    assert read_small_file(tmp_path / "big", 1001) == bytes(1001)
    with pytest.raises(OSError, match="larger than"):
        read_small_file(tmp_path / "big", 1000)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 1}', '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "[" * 300 + "]" * 300, '{"a": "\\ud800"}',
     "[" * 100_000, '{"a": 1} x', "", "9" * 5000],
)  # fmt: skip
def test_json_means_one_thing_or_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\n\u00fc", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_sound_json_is_what_python_makes_of_it(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("name", ["job synthesize", "protocol", "dataset.json", "label schema", "manifest.json"])
def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    kind = SAMPLES[name]
    kind.make(tmp_path)
    path = next(path for path in tmp_path.iterdir() if path.is_file())
    text = path.read_text(encoding="utf-8").lstrip()
    key, value = next(iter(json.loads(text).items()))
    path.write_text("{" + f"{json.dumps(key)}: {json.dumps(value)}, " + text[1:], encoding="utf-8")
    assert "twice" in refused(kind.read, tmp_path).message


@pytest.mark.parametrize(
    "bomb",
    ["\n".join(["a: &a0 [x, x, x, x, x, x, x, x, x]",
                *(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]),
     "a: &a [*a]", "a: &a {b: *a}", "a: " + "[" * 5000, "a: &a [1]\nb: *nobody"],
    ids=["billion laughs", "holds itself", "holds itself as value", "deep", "nobody"],
)  # fmt: skip
def test_yaml_that_unfolds_without_end_is_refused(tmp_path: Path, bomb: str) -> None:
    (tmp_path / "x.yaml").write_text(bomb, encoding="utf-8")
    refused(read_configuration, tmp_path / "x.yaml")


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1.0e+999"])
def test_numbers_of_a_training_are_finite(tmp_path: Path, number: str) -> None:
    SAMPLES["training.yaml"].make(tmp_path)
    path = next(tmp_path.iterdir())
    path.write_text(path.read_text(encoding="utf-8").replace("l1: 10", f"l1: {number}"), encoding="utf-8")
    assert "l1" in refused(read_configuration, path).message


def test_messages_are_one_printable_line_of_bounded_length() -> None:
    error = MedUSISError(ErrorCode.BAD_SETTING, "a\nb\x1b[31m\u202e" + "x" * 9000, "do\tthis")
    assert len(str(error)) < 2100
    assert str(error).isprintable()
    assert str(error).startswith("BAD_SETTING: a?b?[31m?")


@pytest.mark.parametrize(
    "name", ["../precious.txt", "/precious.txt", "..", "sub/../../precious.txt", "..\\precious.txt"]
)
def test_a_result_cannot_name_files_elsewhere_to_be_replaced(tmp_path: Path, name: str) -> None:
    """Somebody else's result folder, written into with --overwrite."""
    precious, out = tmp_path / "precious.txt", tmp_path / "out"
    precious.write_text("mine")
    out.mkdir()
    name = str(precious) if name.startswith("/") else name
    (out / MARKER_NAME).write_text(json.dumps({"written": ["mr.nii.gz", name]}))
    (out / "mr.nii.gz").write_text("old")
    assert written_files(out) == set()
    with suppress(MedUSISError), atomic_output_directory(out, overwrite=True) as new:
        (new / "mr.nii.gz").write_text("new")
    assert precious.read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "precious.txt"]


@pytest.mark.parametrize(
    "content", [b"[]", b"[" * 100_000, b"{}", b'{"written": 3}', b'{"written": [1]}', b"\xff", b""]
)
def test_a_damaged_list_of_a_result_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARKER_NAME).write_bytes(content)
    assert written_files(tmp_path) == set()


def test_an_event_nested_without_end_is_no_event() -> None:
    assert parse_event("[" * 200_000) is None and parse_word("[" * 200_000) is None
    assert Order.parse('{"job": ' + "[" * 200_000) is None


@pytest.mark.parametrize("what", ["no job", "a damaged CT", "a path too long"])
def test_a_job_ends_in_one_named_event(tmp_path: Path, what: str) -> None:
    SAMPLES["mha"].make(tmp_path)
    ct = file_of(tmp_path)
    ct.write_bytes(ct.read_bytes().replace(b"NDims = 3", b"NDims = 1e30"))
    job = tmp_path / f"{NAME}.json"
    place = "x" * 400 if what == "a path too long" else str(ct)
    text = json.dumps({"kind": "segment", "parameters": {"ct": place, "out": str(tmp_path / "seg.nii.gz")}})
    job.write_text(text[:30] if what == "no job" else text, encoding="utf-8")
    stream = io.StringIO()
    code = run_job(job, stream)
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert (last["event"], code) == ("error", 2 if what == "no job" else 10)
    assert NAME not in last["message"] + last["hint"]
    assert last["hint"]


@UNIX
def test_commands_end_without_a_traceback(tmp_path: Path) -> None:
    """In one process, for each start costs seconds; names with line breaks and foreign bytes among the arguments."""
    table = tmp_path / f"{NAME}\n\udcff.csv"
    table.write_bytes(b"reader,test\n\xff")
    long = "x" * 400
    calls = [
        ["study", "mrmc", str(table)],
        ["study", "mrmc", long],
        ["dataset", "show", str(table)],
        ["generators", "show", long],
        ["study", "check", long],
        ["train", str(table)],
    ]
    script = (
        "import os, sys\nfrom MedUSISLib.cli.main import main\n"
        "for call in " + repr(calls) + ":\n    sys.argv = ['medusis', *call]\n    try:\n        main()\n"
        "    except SystemExit as end:\n        print('ended', end.code, flush=True)\n"
    )
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "MEDUSIS_LOGS": str(tmp_path / "logs")}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True, text=True, timeout=600, env=environment, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    codes = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("ended")]
    assert len(codes) == len(calls), done.stdout + done.stderr
    assert all(code not in (0, 1) for code in codes), (codes, done.stderr[-3000:])
    assert "Traceback" not in done.stderr


@UNIX
@pytest.mark.parametrize("out", ["circle", "a\0b", "~nobody-of-that-name/x"])
def test_output_paths_that_are_none_are_refused(tmp_path: Path, out: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    parameters = {"ct": "ct.nii", "segmentation": "seg.nii", "out": out if out[0] == "~" else str(tmp_path / out)}
    (tmp_path / "job.json").write_text(json.dumps({"version": 1, "kind": "synthesize", "parameters": parameters}))
    stream = io.StringIO()
    assert run_job(tmp_path / "job.json", stream) == 2
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert (last["event"], last["code"]) == ("error", "BAD_SETTING")
    assert "path" in last["message"] and last["hint"]


def number_places(tree: object, place: tuple = ()) -> Iterator[tuple]:
    """Where the numbers of a tree of JSON stand, true and false left out."""
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from number_places(inner, (*place, key))
    if isinstance(tree, (int, float)) and not isinstance(tree, bool):
        yield place


@pytest.mark.parametrize("name", ["protocol", "key.json", "dataset.json", "label schema", "unpacked package"])
@pytest.mark.parametrize("text", ["NaN", "-inf"])
def test_no_number_is_written_as_text_for_none(tmp_path: Path, name: str, text: str) -> None:
    kind = SAMPLES[name]
    kind.make(tmp_path)
    path = next(path for path in sorted(tmp_path.rglob("*.json")))
    content = path.read_text(encoding="utf-8")
    for place in number_places(json.loads(content)):
        tree = part = json.loads(content)
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = text
        path.write_text(json.dumps(tree), encoding="utf-8")
        with suppress(MedUSISError):
            kind.verify(tmp_path, kind.read(tmp_path))


def test_any_json_is_no_dataset(tmp_path: Path) -> None:
    for text in ("{}", "[]", "1", '{"files": []}'):
        (tmp_path / "dataset.json").write_text(text)
        assert "no dataset" in refused(load_dataset, tmp_path).message
