"""A batch on a real Ray cluster of this machine, one of whose workers is killed in the middle."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from cluster_example import ACTOR, PATIENT, WhenACaseEnds, listening, made_cases, of_sessions, processes

from MedUSISLib.batch.folder import case_folder
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.outcome import BatchOutcome
from MedUSISLib.batch.runner import run_batch
from MedUSISLib.batch.standing import stands_complete
from MedUSISLib.batch.states import CaseRow, CaseState

pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
CASES = 6
"""Each worker takes three: whichever is killed when the first has ended has others in hand."""


RAYS_USUAL_FOLDER = Path(tempfile.gettempdir()) / "ray"


@dataclass
class Seen:
    """What was seen when a worker was killed, and what is there afterwards."""

    out: Path
    outcome: BatchOutcome | None = None
    rows: list[CaseRow] = field(default_factory=list)
    listening: set[str] = field(default_factory=set)
    rays_folders: list[Path] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    logs_with_names: list[str] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    actors: int = 0
    usual_folder_before: bool = False


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("cluster")
    request = made_cases(folder, CASES).model_copy(update={"cluster": "local:2"})
    seen = Seen(request.out, usual_folder_before=RAYS_USUAL_FOLDER.exists())
    actors: list[psutil.Process] = []

    def hold() -> None:
        """Until they have been looked at, or they would be done with everything on a busy machine."""
        actors.extend(processes(ACTOR))
        for actor in actors:
            actor.suspend()

    def look_and_kill() -> None:
        try:
            look()
        finally:
            seen.actors = len(actors)
            victim = max(actors, key=lambda actor: actor.cpu_times().user)
            victim.kill()
            for actor in actors:
                if actor != victim:
                    actor.resume()

    def look() -> None:
        raylet = processes("raylet/raylet")[0]
        everything = psutil.Process().children(recursive=True)
        seen.listening = listening(everything)
        seen.environment = raylet.environ()
        seen.sessions = {os.getsid(raylet.pid)}
        place = next(word for word in raylet.cmdline() if word.startswith("--raylet_socket_name=")).partition("=")[2]
        seen.rays_folders = [Path(place).parents[2]]
        seen.modes = [Path(place).parents[3].stat().st_mode & 0o777]
        for log in Path(place).parents[1].rglob("*"):
            with suppress(FileNotFoundError):  # Ray turns them over
                if log.is_file() and PATIENT.encode() in log.read_bytes():
                    seen.logs_with_names.append(log.name)

    listener = WhenACaseEnds(1, look_and_kill, hold)
    seen.outcome = run_batch(request, listener)
    assert listener.thread is not None
    listener.thread.join()
    with Manifest.open(request.out, read_only=True) as manifest:
        seen.rows = manifest.rows()
        sha256 = str(manifest.fact("generator_sha256"))
    for row in seen.rows:
        assert stands_complete(case_folder(request.out, row.number), request, None, sha256)
    return seen


@pytest.mark.fault("a worker of a Ray cluster is killed in the middle of its cases")
def test_cases_of_a_killed_worker_are_done_by_another_one_and_none_is_there_twice(seen: Seen) -> None:
    assert seen.outcome is not None and 1 <= seen.actors <= 2  # on a busy machine the second one may begin later
    assert (seen.outcome.done, seen.outcome.failed, seen.outcome.workers) == (CASES, 0, 2)
    assert [row.state for row in seen.rows] == [CaseState.DONE] * CASES
    assert max(row.attempts for row in seen.rows) == 2
    assert "died" in (seen.out / "log.txt").read_text()
    assert sorted(path.name for path in (seen.out / "cases").iterdir()) == [row.name for row in seen.rows]
    assert [p.name for p in seen.out.iterdir() if p.name.startswith(".") and not p.name.endswith("lock")] == []


def test_a_cluster_of_this_machine_listens_to_itself_alone_and_wants_a_key(seen: Seen) -> None:
    assert seen.listening
    assert seen.listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert seen.environment["RAY_AUTH_MODE"] == "token" and len(seen.environment["RAY_AUTH_TOKEN"]) == 64
    assert seen.environment["RAY_USAGE_STATS_ENABLED"] == "0"


def test_nothing_of_the_cluster_stays(seen: Seen) -> None:
    assert of_sessions(seen.sessions) == []
    assert seen.modes == [0o700]
    assert [folder for folder in seen.rays_folders if folder.exists() or folder.parent.exists()] == []
    assert seen.usual_folder_before or not RAYS_USUAL_FOLDER.exists()  # of somebody else who uses Ray here


def test_rays_logs_name_no_patient(seen: Seen) -> None:
    assert seen.rays_folders and seen.logs_with_names == []
    assert PATIENT not in (seen.out / "log.txt").read_text()
