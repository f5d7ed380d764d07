"""Workers of a cluster that die, hang or are cut off, and a cluster that is gone: with a stand-in for Ray."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_ray import ActorUnavailableError, FakeRay, OutOfMemoryError, RayError

from MedUSISLib.batch import ray_pool, ray_workers
from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.batch.pipeline import IN_HAND
from MedUSISLib.batch.pool import Began, CaseTask, Died, Failed, Finished, PoolEvent, Rests
from MedUSISLib.batch.ray_plan import ActorPlan
from MedUSISLib.batch.ray_pool import RayPool
from MedUSISLib.batch.ray_session import NOT_STARTED, ray_session
from MedUSISLib.batch.ray_workers import RayWorkers
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.batch.wire import Broken, WorkerSettings, to_line
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.stillness import LIMIT_VARIABLE

DEAD = RayError("The actor is dead because its worker process has died.")
NODE_LOST = RayError("The actor died because its node has died.")


class Cluster:
    """Workers on a stand-in, and what they said."""

    def __init__(self, workers: int = 1, lease_s: float = 30.0, begins: Any = None, **request: Any) -> None:
        self.ray = FakeRay(begins)
        self.heard: list[PoolEvent] = []
        settings = WorkerSettings(
            request=BatchRequest(input=Path("in"), out=Path("out"), **request), device="cpu", worker=""
        )
        session: Any = SimpleNamespace(ray=self.ray)
        plan = ActorPlan(workers, 1.0, 0.0)
        self.workers = RayWorkers(session, plan, settings, "ab", self.heard.append, lease_s)
        self.work()

    def work(self, rounds: int = 3) -> None:
        for _ in range(rounds * len(self.ray.actors)):
            self.workers.work(0.0)

    def add(self, *numbers: int, alone: bool = False) -> None:
        for number in numbers:
            self.workers.add(task(number, alone))
        self.work()

    def says(self, actor: int, *events: Any, first: int = 1, lacks: tuple[int, ...] = (), still_s: float = 0.0) -> None:
        lines = [(first + n, event if isinstance(event, str) else to_line(event)) for n, event in enumerate(events)]
        self.ray.actors[actor].answers.append({"events": lines, "lacks": list(lacks), "still_s": still_s})
        self.work()

    def breaks(self, actor: int, error: Exception) -> None:
        self.ray.actors[actor].answers.append(error)
        self.work()


def task(number: int, alone: bool = False) -> CaseTask:
    out = Path("out") / f"case-{number:04d}"
    return CaseTask(number=number, ct=Path("ct.nii"), segmentation=Path("seg.nii"), out=out, alone=alone)


def began(number: int, state: CaseState = CaseState.READING) -> Began:
    return Began(number, state, "1")


def test_no_more_cases_are_with_a_worker_than_it_has_stages() -> None:
    cluster = Cluster(workers=2)
    cluster.add(*range(1, 10))
    assert [len(actor.fed) for actor in cluster.ray.actors] == [IN_HAND, IN_HAND]
    cluster.says(0, began(1), Finished(1, 1.0))
    assert len(cluster.ray.actors[0].fed) == IN_HAND + 1


def test_what_is_lost_on_the_way_is_given_again() -> None:
    cluster = Cluster()
    cluster.add(1, 2)
    cluster.says(0, began(1), lacks=(2,))
    assert len(cluster.ray.actors[0].fed) == 3
    assert cluster.ray.actors[0].polls[-1] == (1, [(1, 1), (2, 1)])


@pytest.mark.fault("a worker on a cluster dies: its cases are named, those that it had not begun without blame")
def test_a_dead_worker_is_replaced_at_once() -> None:
    cluster = Cluster()
    cluster.add(1, 2, 3)
    cluster.says(0, began(1), Rests(1), began(1, CaseState.COMPUTING), began(2), Rests(2))
    cluster.breaks(0, DEAD)
    assert cluster.heard[-1] == Died("1", (1,), (2, 3), "its process died")
    assert len(cluster.ray.actors) == 2 and not cluster.ray.actors[1].fed
    cluster.add(1)
    assert len(cluster.ray.actors[1].fed) == 1


def test_a_death_without_a_known_stage_is_held_against_all() -> None:
    cluster = Cluster()
    cluster.add(1, 2)
    cluster.says(0, began(1), Rests(1))
    cluster.breaks(0, OutOfMemoryError("the node is running low on memory"))
    assert cluster.heard[-1] == Died("1", (1, 2), (), "Ray ended it for lack of memory")


@pytest.mark.fault("a node of a cluster is lost: its cases wait until the lease of its worker is over")
def test_cases_of_a_lost_node_wait_until_its_worker_is_surely_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(ray_workers.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(ray_workers.time, "sleep", lambda seconds: None)
    cluster = Cluster(lease_s=30.0)
    cluster.add(1)
    cluster.says(0, began(1))
    cluster.breaks(0, NODE_LOST)
    now[0] += 30.0
    cluster.work()
    assert not any(isinstance(event, Died) for event in cluster.heard)
    now[0] += 6.0
    cluster.work()
    assert cluster.heard[-1] == Died("1", (1,), (), "its node was lost")


def test_a_worker_that_is_cut_off_for_a_moment_goes_on_and_nothing_is_lost() -> None:
    cluster = Cluster()
    cluster.add(1)
    cluster.says(0, began(1))
    cluster.breaks(0, ActorUnavailableError("the line is dead"))
    assert cluster.ray.actors[0].polls[-1][0] == 1
    cluster.says(0, Finished(1, 2.0), first=2)
    assert [type(event) for event in cluster.heard] == [Began, Finished]


def test_a_worker_that_stays_cut_off_is_given_up_after_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(ray_workers.time, "monotonic", lambda: now[0])
    cluster = Cluster(lease_s=30.0)
    cluster.add(1)
    cluster.says(0, began(1))
    now[0] += 36.0
    cluster.breaks(0, ActorUnavailableError("the line is dead"))
    assert cluster.ray.actors[0].killed
    assert isinstance(cluster.heard[-1], Died) and cluster.heard[-1].working == (1,)


@pytest.mark.fault("a case hangs on a cluster")
def test_a_case_that_takes_too_long_is_ended_and_its_neighbours_are_without_blame() -> None:
    cluster = Cluster(case_timeout_s=0.05)
    cluster.add(1, 2)
    cluster.says(0, began(1), Rests(1), began(2), Rests(2), began(1, CaseState.COMPUTING))
    time.sleep(0.1)
    cluster.work()
    assert cluster.ray.actors[0].killed
    failed = [event for event in cluster.heard if isinstance(event, Failed)]
    assert [(event.number, event.failure.code) for event in failed] == [(1, "TIMED_OUT")]
    assert cluster.heard[-1] == Died("1", (), (2,), "its process died")


@pytest.mark.fault("a worker of a cluster does nothing at all for a quarter of an hour")
def test_a_worker_that_does_nothing_is_ended_and_what_it_worked_on_answers_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "900")
    cluster = Cluster()
    cluster.add(1, 2)
    cluster.says(0, began(1), Rests(1), began(2), Rests(2), began(1, CaseState.COMPUTING), still_s=899.0)
    assert not cluster.ray.actors[0].killed
    cluster.says(0, first=6, still_s=900.0)
    assert cluster.ray.actors[0].killed
    failed = [event for event in cluster.heard if isinstance(event, Failed)]
    assert [(event.number, event.failure.code) for event in failed] == [(1, "TIMED_OUT")]
    assert "nothing at all for 900 s" in failed[0].failure.message
    assert cluster.heard[-1] == Died("1", (), (2,), "its process died")
    cluster.says(1, still_s=5000.0)
    assert not cluster.ray.actors[1].killed  # it has no case


def test_a_case_that_must_be_alone_is_alone() -> None:
    cluster = Cluster(workers=2)
    cluster.add(1, 2)
    cluster.add(3, alone=True)
    assert [len(actor.fed) for actor in cluster.ray.actors] == [1, 1]
    cluster.says(1, began(2), Finished(2, 1.0))
    cluster.add(4)
    assert [len(actor.fed) for actor in cluster.ray.actors] == [2, 2]


def test_workers_that_die_before_any_case_end_the_batch() -> None:
    with pytest.raises(MedUSISError) as caught:
        Cluster(begins=DEAD).work(9)
    assert caught.value.code is ErrorCode.INTERNAL and "before they begin a case" in caught.value.message


def test_a_worker_that_cannot_begin_says_why() -> None:
    broken = to_line(Broken(Failure("GENERATOR_CORRUPT", "there is another generator of this name", "install it")))
    with pytest.raises(MedUSISError) as caught:
        Cluster(begins={"pid": 1, "broken": broken})
    assert caught.value.code is ErrorCode.GENERATOR_CORRUPT and "on the cluster" in caught.value.message


# -- the worker itself -------------------------------------------------------------------------------------------------

ACTOR = """
import sys, time
from MedUSISLib.batch import ray_actor
from MedUSISLib.batch.pool import CaseTask, Finished
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.wire import WorkerSettings
out = open(sys.argv[1], "w")
class Pipeline:
    fed = []
    def feed(self, case): self.fed.append(case.number)
ray_actor._TICK_S = 0.02
ray_actor.CaseActor._make_pipeline = lambda self: Pipeline()
settings = WorkerSettings(request=BatchRequest(input="in", out="out"), device="cpu", worker="1")
actor = ray_actor.CaseActor(settings.model_dump_json(), "ab", lease_s=3.0, look_s=0.2)
print(actor.ready()["broken"] == "", file=out)
case = CaseTask(number=1, ct="a", segmentation="b", out="c").model_dump_json()
print(actor.poll(0, [(1, 1)], 5.0)["lacks"], file=out)
actor.feed(case); actor.feed(case)
print(Pipeline.fed, file=out)
actor._say(Finished(1, 1.0)); actor._say(Finished(2, 1.0))
print([n for n, _ in actor.poll(0, [], 5.0)["events"]], [n for n, _ in actor.poll(0, [], 5.0)["events"]], file=out)
print([n for n, _ in actor.poll(1, [(1, 1)], 5.0)["events"]], actor.poll(2, [], 0.01), file=out)
actor.feed(CaseTask(number=3, ct="a", segmentation="b", out="c").model_dump_json())
while actor.poll(2, [], 0.2)["still_s"] < 1.0: pass
print("a case in hand and nothing moves", file=out)
actor._say(Finished(3, 1.0))
while actor.poll(3, [], 0.2)["still_s"]: pass
print("no case in hand", file=out, flush=True)
print("words of a library that nobody may read")
time.sleep(600)
"""


@pytest.mark.fault("a worker of a cluster loses its batch")
def test_a_worker_keeps_its_words_until_they_are_confirmed_and_ends_when_nobody_asks(tmp_path: Path) -> None:
    said = tmp_path / "said"
    done = subprocess.run([sys.executable, "-c", ACTOR, str(said)], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert said.read_text().splitlines() == [
        "True",
        "[1]",
        "[1]",
        "[1, 2] [1, 2]",
        "[2] {'events': [], 'lacks': [], 'still_s': 0.0}",
        "a case in hand and nothing moves",
        "no case in hand",
    ]


# -- the process between -----------------------------------------------------------------------------------------------

CHILD = """
import json, sys
settings = json.loads(sys.stdin.readline())
print(json.dumps({"opened": {"workers": 2}}), flush=True)
for line in sys.stdin:
    number = json.loads(line)["number"]
    if number == 13:
        sys.exit(1)
    print(json.dumps({"finished": {"number": number, "seconds": 1.0, "summary": {}}}), flush=True)
"""


def pool_of(code: str, tmp_path: Path) -> RayPool:
    request = BatchRequest(input=tmp_path, out=tmp_path, cluster="local:2")
    return RayPool(request, command=(sys.executable, "-c", code))


def hear(pool: RayPool, until: Callable[[list[PoolEvent]], bool]) -> list[PoolEvent]:
    found: list[PoolEvent] = []
    end = time.monotonic() + 120
    while not until(found) and time.monotonic() < end:
        found += pool.events(0.5)
    return found


@pytest.mark.fault("a Ray cluster is gone in the middle of a batch")
def test_a_cluster_that_is_gone_comes_again_and_is_given_up_the_third_time(tmp_path: Path) -> None:
    pool = pool_of(CHILD, tmp_path)
    try:
        assert pool.capacity == 2 * IN_HAND
        pool.submit(task(1))
        assert hear(pool, bool) == [Finished(1, 1.0, {})]
        for _ in range(2):
            pool.submit(task(13))
            assert hear(pool, bool) == [Died("cluster", (), (13,), "the cluster was lost")]
        pool.submit(task(13))
        with pytest.raises(MedUSISError) as caught:
            hear(pool, bool)
        assert caught.value.code is ErrorCode.DEVICE_NOT_AVAILABLE and "goes on" in caught.value.hint
    finally:
        pool.close()


@pytest.mark.fault("the head of a Ray cluster is away for longer than the lease of its workers")
def test_a_cluster_that_lets_nobody_in_for_a_while_is_asked_again(tmp_path: Path) -> None:
    line = to_line(Broken(Failure("DEVICE_NOT_AVAILABLE", "nobody answers at ray://node7:10001", "start it")))
    away = f"""
import pathlib, sys
begun = pathlib.Path({str(tmp_path)!r}) / "begun"
begun.write_text(begun.read_text() + "x" if begun.exists() else "x")
if begun.read_text() == "xx":
    print({line!r})
    sys.exit(1)
"""
    pool = pool_of(away + CHILD, tmp_path)
    try:
        pool.submit(task(13))
        assert hear(pool, bool) == [Died("cluster", (), (13,), "the cluster was lost")]
        pool.submit(task(1))
        assert hear(pool, bool) == [Died("cluster", (), (1,), "the cluster was lost")]
        pool.submit(task(1))
        assert hear(pool, bool) == [Finished(1, 1.0, {})]
    finally:
        pool.close()


def test_what_the_child_cannot_do_is_said(tmp_path: Path) -> None:
    line = to_line(Broken(Failure("DEVICE_NOT_AVAILABLE", "no Ray cluster answers at ray://node7:10001", "start it")))
    with pytest.raises(MedUSISError) as caught:
        pool_of(f"print({line!r})", tmp_path)
    assert "node7" in caught.value.message
    with pytest.raises(MedUSISError, match="Ray ended before the cluster was there"):
        pool_of("pass", tmp_path)


@pytest.mark.fault("a machine is too busy for Ray to start")
def test_a_cluster_that_does_not_start_is_started_again(tmp_path: Path) -> None:
    line = to_line(Broken(Failure("DEVICE_NOT_AVAILABLE", NOT_STARTED, "the machine may be too busy")))
    once = f"""
import pathlib, sys
tried = pathlib.Path({str(tmp_path)!r}) / "tried"
if not tried.exists():
    tried.touch()
    print({line!r})
    sys.exit(1)
"""
    pool = pool_of(once + CHILD, tmp_path)
    try:
        pool.submit(task(1))
        assert hear(pool, bool) == [Finished(1, 1.0, {})]
    finally:
        pool.close()
    with pytest.raises(MedUSISError, match="could not start"):
        pool_of(f"print({line!r})", tmp_path)


def test_a_cluster_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        address = ClusterAddress.parse(f"ray://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(MedUSISError) as caught, ray_session(address, 1):
            pass
    assert caught.value.code is ErrorCode.DEVICE_NOT_AVAILABLE and "nobody answers" in caught.value.message


def test_half_written_results_of_given_up_cases_are_removed(tmp_path: Path) -> None:
    pool = pool_of(CHILD.replace('print(json.dumps({"fin', '0 and print(json.dumps({"fin'), tmp_path)
    half = tmp_path / ".case-0001.medusis-0123456789ab"
    half.mkdir()
    pool.submit(task(1).model_copy(update={"out": tmp_path / "case-0001"}))
    pool.close()
    assert not half.exists()


def test_a_batch_waits_for_the_lease_before_it_comes_back_to_a_cluster_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "LEASE_S", 0.0)
    monkeypatch.setattr(ray_pool, "MARGIN_S", 0.6)
    request = BatchRequest(input=tmp_path, out=tmp_path, cluster="ray://node7")
    pool = RayPool(request, command=(sys.executable, "-c", CHILD))
    try:
        pool.submit(task(13))
        began_at = time.monotonic()
        assert [type(event) for event in hear(pool, bool)] == [Died]
        assert time.monotonic() - began_at >= 0.6
    finally:
        pool.close()
