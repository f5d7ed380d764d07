"""What a batch on a cluster decides: addresses, numbers of workers, which nodes fit, what is surely dead."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from MedUSISLib import __version__
from MedUSISLib.batch import node_probe
from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.batch.ray_nodes import trouble_of
from MedUSISLib.batch.ray_plan import plan_actors
from MedUSISLib.batch.ray_session import Node, require_ray, short_temporary_folder
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.errors import ErrorCode, MedUSISError

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "url", "workers"),
    [
        ("local", None, None),
        ("local:3", None, 3),
        ("ray://node7:20001", "ray://node7:20001", None),
        ("ray://10.0.0.7", "ray://10.0.0.7:10001", None),
        ("ray://[fe80::1]:10001/", "ray://[fe80::1]:10001", None),
    ],
)
def test_addresses(text: str, url: str | None, workers: int | None) -> None:
    assert ClusterAddress.parse(text) == ClusterAddress(url, workers)


@pytest.mark.parametrize(
    "text", ["", "local:0", "local:-1", "auto", "ray://", "ray://a:0", "ray://a:70000", "http://a", "ray://u@a/b"]
)
def test_what_is_no_address_is_a_bad_setting(text: str) -> None:
    with pytest.raises(MedUSISError) as caught:
        BatchRequest(input=Path("in"), out=Path("out"), cluster=text)
    assert caught.value.code is ErrorCode.BAD_SETTING and "local:N" in caught.value.hint


@pytest.mark.parametrize(
    ("nodes", "device", "workers", "expected"),
    [
        ([(16, 4), (16, 2)], "auto", None, (6, 4.0, 1.0)),
        ([(4, 4)], "auto", None, (4, 1.0, 1.0)),
        ([(16, 1)], "cuda", 3, (3, 4.0, 1 / 3)),
        ([(16, 4), (8, 0)], "cpu", None, (6, 4.0, 0.0)),
        ([(2, 0)], "auto", None, (1, 2.0, 0.0)),
        ([(8, 0), (4, 0)], "auto", 3, (3, 4.0, 0.0)),
        ([(2, 0)], "cpu", 5, (5, 0.2, 0.0)),
    ],
)
def test_how_many_workers_a_cluster_takes(
    nodes: list[tuple[int, int]], device: str, workers: int | None, expected: tuple[int, float, float]
) -> None:
    offered = [Node(str(n), f"node{n}", cpus, gpus, 64 * GIB) for n, (cpus, gpus) in enumerate(nodes)]
    plan = plan_actors(offered, device, workers, 4 * GIB)
    assert (plan.count, plan.cpus, plan.gpus) == pytest.approx(expected)
    assert plan.device == ("cuda" if expected[2] else "cpu")


def test_memory_bounds_the_number_of_workers() -> None:
    assert plan_actors([Node("a", "a", 64, 0, 20 * GIB)], "auto", None, 5 * GIB).count == 4


@pytest.mark.parametrize(
    ("nodes", "device", "code"),
    [
        ([], "auto", "DEVICE_NOT_AVAILABLE"),
        ([(4, 0)], "cuda", "DEVICE_NOT_AVAILABLE"),
        ([(4, 1)], "cuda:1", "BAD_SETTING"),
    ],
)
def test_what_a_cluster_cannot_give(nodes: list[tuple[int, int]], device: str, code: str) -> None:
    offered = [Node(str(n), "node", cpus, gpus, 64 * GIB) for n, (cpus, gpus) in enumerate(nodes)]
    with pytest.raises(MedUSISError) as caught:
        plan_actors(offered, device, None)
    assert caught.value.code.value == code


# -- nodes -------------------------------------------------------------------------------------------------------------


def answer(**changes: Any) -> dict[str, Any]:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    usual = {"python": python, "medusis": __version__, "missing": [], "unseen": 0, "out": ""}
    return {**usual, **changes}


def test_a_node_like_this_one_fits() -> None:
    assert trouble_of(answer(), "node7") is None


@pytest.mark.fault("a node of a cluster has another Python, another MedUSIS or none, or does not see the disk")
@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"python": "3.8"}, "DEPENDENCY_MISSING", "Python 3.8"),
        ({"medusis": ""}, "DEPENDENCY_MISSING", "no MedUSIS"),
        ({"medusis": "0.0.1"}, "DEPENDENCY_MISSING", "MedUSIS 0.0.1"),
        ({"missing": ["torch"]}, "DEPENDENCY_MISSING", "torch"),
        ({"unseen": 2}, "INPUT_NOT_READABLE", "does not see the input"),
        ({"out": "absent"}, "BAD_SETTING", "does not see the output"),
        ({"out": "other"}, "BAD_SETTING", "another folder"),
        ({"out": "read-only"}, "BAD_SETTING", "cannot write"),
    ],
)
def test_a_node_that_does_not_fit_is_named(changes: dict[str, Any], code: str, words: str) -> None:
    trouble = trouble_of(answer(**changes), "node7")
    assert trouble is not None and trouble.code.value == code
    assert "node node7 of the cluster" in trouble.message and words in trouble.message and trouble.hint


def test_a_node_that_gives_no_answer_is_named() -> None:
    trouble = trouble_of(None, "node7")
    assert trouble is not None and "node7" in trouble.message


def test_what_a_node_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    (tmp_path / "ct.nii").write_bytes(b"12345")
    files = {str(tmp_path / "ct.nii"): 5, str(tmp_path): -1}
    seen = node_probe.look(files, str(tmp_path), "token", "abc")
    assert (seen["medusis"], seen["missing"], seen["unseen"], seen["out"]) == (__version__, [], 0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.nii", "token"]
    other = node_probe.look({str(tmp_path / "ct.nii"): 6, "/not/there": 1}, str(tmp_path), "token", "xyz")
    assert (other["unseen"], other["out"]) == (2, "other")
    assert node_probe.look({}, str(tmp_path / "none"), "token", "abc")["out"] == "absent"


def test_the_question_needs_no_medusis_on_the_node() -> None:
    """The function goes to the node by value: the file must import nothing of ours at its top."""
    code = "import sys; exec(open(sys.argv[1]).read()); print(look({}, '.', 'a', 'b')['out'])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, node_probe.__file__], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "other"


# -- Ray itself --------------------------------------------------------------------------------------------------------


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MedUSISError) as caught:
        require_ray(ClusterAddress(None))
    assert caught.value.code is ErrorCode.DEPENDENCY_MISSING
    assert "pip install 'medusis[cluster]'" in caught.value.hint


def test_modules_of_a_batch_do_not_import_ray() -> None:
    code = "import MedUSISLib.batch.ray_pool, MedUSISLib.batch.runner, sys; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.fault("the temporary folder has a path too long for Ray's sockets")
def test_a_long_temporary_folder_is_replaced_by_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("a" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert short_temporary_folder() == "/tmp"
