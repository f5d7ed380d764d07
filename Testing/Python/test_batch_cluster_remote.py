"""A batch on a Ray cluster that somebody else started: two nodes, one of which is lost in the middle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_example import PATIENT, WhenACaseEnds, made_cases
from ray_nodes_example import Nodes, ray_nodes

from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.runner import run_batch
from MedUSISLib.errors import ErrorCode, MedUSISError

pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
pytest.importorskip("grpc", reason="the extra 'cluster' is not installed")
pytestmark = pytest.mark.long


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    with ray_nodes() as nodes:
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
            monkeypatch.setenv(name, nodes.environment[name])
        yield nodes


@pytest.mark.fault("a node of a Ray cluster is lost in the middle of a batch")
def test_cases_of_a_lost_node_are_done_by_the_others(tmp_path: Path, nodes: Nodes) -> None:
    nodes.add()
    request = made_cases(tmp_path, 6).model_copy(update={"cluster": nodes.url, "workers": 2})
    outcome = run_batch(request, WhenACaseEnds(1, lambda: nodes.kill(1)))
    assert (outcome.done, outcome.failed, outcome.workers) == (6, 0, 2)
    with Manifest.open(request.out, read_only=True) as manifest:
        rows = manifest.rows()
    assert sorted(path.name for path in (request.out / "cases").iterdir()) == [row.name for row in rows]
    assert "died" in (request.out / "log.txt").read_text()
    logs = [path for path in (nodes.folder / "r").rglob("*.*") if path.is_file()]
    assert logs and [path.name for path in logs if PATIENT.encode() in path.read_bytes()] == []


@pytest.mark.fault("the head of a Ray cluster is lost in the middle of a batch")
def test_a_batch_whose_cluster_is_gone_ends_with_words_and_goes_on_elsewhere(tmp_path: Path, nodes: Nodes) -> None:
    request = made_cases(tmp_path, 4).model_copy(update={"cluster": nodes.url})
    with pytest.raises(MedUSISError) as caught:
        run_batch(request, WhenACaseEnds(1, lambda: nodes.kill(0)))
    assert caught.value.code is ErrorCode.DEVICE_NOT_AVAILABLE
    outcome = run_batch(request.model_copy(update={"cluster": "local:1"}))
    assert (outcome.done, outcome.failed) == (4, 0)


def test_a_node_that_does_not_see_the_results_is_named(tmp_path: Path, nodes: Nodes) -> None:
    request = made_cases(tmp_path, 1).model_copy(update={"cluster": nodes.url})
    request.out.mkdir()
    hide = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{request.out}" && exec "$0" "$@"')
    if shutil.which("unshare") is None or subprocess.run([*hide, "true"], capture_output=True).returncode:
        pytest.skip("this user cannot make a node that sees other disks")
    nodes.add(before=hide)
    with pytest.raises(MedUSISError) as caught:
        run_batch(request)
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert "another folder in the place of the output folder" in caught.value.message


def test_a_wrong_key_is_refused_with_words(tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    request = made_cases(tmp_path, 1).model_copy(update={"cluster": nodes.url})
    with pytest.raises(MedUSISError) as caught:
        run_batch(request)
    assert caught.value.code is ErrorCode.DEVICE_NOT_AVAILABLE
    assert "does not let this batch in" in caught.value.message and "RAY_AUTH_TOKEN" in caught.value.hint
