"""Nothing that was answered is lost, overwritten or mixed up."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import postgres_server
import pytest
from sqlalchemy import create_engine
from study_reader_child import answer_of, long_package, read_on

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study import answer_database
from MedUSISLib.study.answers import AnswerStore, Owner
from MedUSISLib.study.questions import Scale
from MedUSISLib.study.session import ReadingSession

OWNER = Owner("s", "0" * 64, "1" * 64, "R1")
GOOD = answer_of(1)
PATIENCE_S = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "R1.sqlite"


def test_what_was_added_is_there_when_the_file_is_opened_again(path: Path) -> None:
    with AnswerStore(path) as store:
        added = [store.add("answer", OWNER, f"{n:016x}", values={"a": n, "t": "ä"}, seconds=n / 3) for n in range(5)]
    with AnswerStore(path) as store:
        assert store.rows() == added and [row.sequence for row in added] == [1, 2, 3, 4, 5]
        store.check()
    assert [p.name for p in path.parent.iterdir()] == ["R1.sqlite"]


def test_the_file_is_written_through_to_the_disk(path: Path) -> None:
    with AnswerStore(path) as store, store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def kill_and_resume(path: Path, kills: int, count: int, seed: int) -> None:
    """Start the reader's program again and again, kill it at any moment, and look whether its word was true."""
    # Not forkserver: each of its children reads the main program, which is pytest, again.
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    moments = random.Random(seed)
    confirmed: list[str] = []
    for _ in range(kills):
        reading, writing = context.Pipe(duplex=False)
        child = context.Process(target=read_on, args=(str(path), count, writing))
        child.start()
        writing.close()
        # After some answers, however long the machine takes for them; now and then while the program starts.
        for _ in range(moments.randint(0, 4)):
            assert reading.poll(PATIENCE_S), "the reader's program says nothing"
            confirmed.append(reading.recv_bytes().decode())
        time.sleep(moments.uniform(0.0, 0.02))
        child.kill()
        child.join()
        try:
            while True:
                confirmed.append(reading.recv_bytes().decode())
        except (EOFError, OSError):
            reading.close()
        if path.is_file():
            with AnswerStore(path) as store:
                store.check()
                stored = [row.trial for row in store.rows()]
            # An answer may have been stored whose confirmation was killed; never the other way round.
            assert [trial for trial in stored if trial in set(confirmed)] == confirmed
            assert stored == [f"{n:016x}" for n in range(1, len(stored) + 1)]
            assert len(set(stored)) == len(stored) <= len(confirmed) + kills
    session = ReadingSession(long_package(count), AnswerStore(path))
    assert all(row.values == answer_of(n) for n, row in enumerate(session.rows, start=1))
    now = session.current()
    assert now is not None and now.number == len(session.rows) + 1 and len(confirmed) > kills


def test_every_confirmed_answer_survives_kills(path: Path) -> None:
    kill_and_resume(path, 12, 2000, seed=1)


@pytest.mark.long
def test_every_confirmed_answer_survives_200_kills(path: Path) -> None:
    kill_and_resume(path, 200, 10_000, seed=2)


def test_a_full_disk_is_said_and_loses_nothing(path: Path) -> None:
    from sqlalchemy import event

    with AnswerStore(path) as store:

        @event.listens_for(store._engine, "connect")
        def _small(connection, record) -> None:  # type: ignore[no-untyped-def]
            connection.execute("PRAGMA max_page_count=20")

        kept = 0
        with pytest.raises(MedUSISError) as caught:
            for number in range(1000):
                store.add("answer", OWNER, f"{number:016x}", values={"text": "x" * 3000})
                kept += 1
        assert caught.value.code is ErrorCode.DISK_FULL and kept > 3
    with AnswerStore(path) as store:
        store.check()
        assert len(store.rows()) == kept
        store.add("answer", OWNER, "f" * 16)


def test_two_windows_cannot_answer_the_same_trial(path: Path) -> None:
    package = long_package(3)
    one, other = (ReadingSession(package, AnswerStore(path)) for _ in range(2))
    now = one.current()
    assert now is not None
    one.answer(now, GOOD, 1)
    with pytest.raises(MedUSISError, match="another window"):
        other.answer(now, GOOD, 1)
    assert len(AnswerStore(path).rows()) == 1


def write_at_once(where: str | Path, study: str) -> None:
    """Four readers at four desks; every row is there and every chain is whole."""
    troubles: list[BaseException] = []

    def write(reader: str) -> None:
        try:
            with AnswerStore(where) as store:
                for n in range(10):
                    store.add("answer", Owner(study, "0" * 64, "1" * 64, reader), f"{n:016x}")
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=write, args=(f"R{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with AnswerStore(where) as store:
        store.check()
        assert not troubles and sum(row.study == study for row in store.rows()) == 40


def test_many_writers_at_once_keep_every_row_and_the_chain(path: Path) -> None:
    AnswerStore(path).close()
    write_at_once(path, "s")


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE medusis_rows SET "values" = \'{"source": "synthetic"}\' WHERE sequence = 2',
        "DELETE FROM medusis_rows WHERE sequence = 2",
        "UPDATE medusis_rows SET seconds = 0.1 WHERE sequence = 3",
    ],
)
def test_rows_changed_from_outside_are_noticed(change: str, path: Path) -> None:
    with AnswerStore(path) as store:
        for n in range(3):
            store.add("answer", OWNER, f"{n:016x}", values={"source": "real"}, seconds=5)
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    with AnswerStore(path) as store, pytest.raises(MedUSISError, match="changed outside"):
        store.check()


def test_what_is_no_database_of_answers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Doe.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(MedUSISError) as caught:
        AnswerStore(tmp_path / "Doe.sqlite")
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "Doe" not in str(caught.value)
    with pytest.raises(MedUSISError, match="folder"):
        AnswerStore(tmp_path / "missing" / "R1.sqlite")
    with pytest.raises(MedUSISError):
        AnswerStore("nonsense://somewhere")


def test_answers_of_a_newer_medusis_are_not_touched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_database, "SCHEMA_VERSION", 2)
    AnswerStore(path).close()
    monkeypatch.undo()
    with pytest.raises(MedUSISError, match="newer MedUSIS"):
        AnswerStore(path)


def test_answers_of_an_older_medusis_are_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of a made-up migration, once; rows, hashes and the chain stay, and more can be answered."""
    with AnswerStore(path) as store:
        before = [store.add("answer", OWNER, f"{n:016x}", values=GOOD, seconds=1.5) for n in range(3)]
    steps: list[int] = []

    def migration(version: int):
        def migrate(connection) -> None:
            steps.append(version)
            connection.exec_driver_sql(f"ALTER TABLE medusis_rows ADD COLUMN later{version} INTEGER DEFAULT {version}")

        return migrate

    monkeypatch.setattr(answer_database, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(answer_database, "SCHEMA_MIGRATIONS", {1: migration(1), 2: migration(2)})
    for _ in range(2):
        with AnswerStore(path) as store:
            assert store.rows()[:3] == before
            store.add("answer", OWNER, f"{len(store.rows()):016x}", values=GOOD)
            store.check()
    assert steps == [1, 2]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT later1, later2 FROM medusis_rows LIMIT 1").fetchone() == (1, 2)
        assert connection.execute("SELECT value FROM medusis_about").fetchall() == [("3",)]
    connection.close()


def test_a_migration_that_fails_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AnswerStore(path) as store:
        before = [store.add("answer", OWNER, f"{1:016x}", values=GOOD)]

    def migrate(connection) -> None:
        connection.exec_driver_sql("ALTER TABLE medusis_rows ADD COLUMN later INTEGER")
        connection.exec_driver_sql("no SQL")

    monkeypatch.setattr(answer_database, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(answer_database, "SCHEMA_MIGRATIONS", {1: migrate})
    with pytest.raises(MedUSISError):
        AnswerStore(path)
    monkeypatch.undo()
    with AnswerStore(path) as store:
        assert store.rows() == before
        assert "later" not in {c[1] for c in store._engine.connect().exec_driver_sql("PRAGMA table_info(medusis_rows)")}


@pytest.mark.parametrize(
    "change", ["\"values\" = 'no JSON'", "\"values\" = '[1]'", "kind = 'guess'", "seconds = 'long'"]
)
def test_rows_that_are_none_are_refused_by_name(change: str, path: Path) -> None:
    with AnswerStore(path) as store:
        store.add("answer", OWNER, f"{1:016x}", values=GOOD)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE medusis_rows SET {change}")
    connection.close()
    with AnswerStore(path) as store, pytest.raises(MedUSISError, match="outside MedUSIS") as caught:
        store.rows()
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE


def test_a_session_goes_on_where_it_stopped(path: Path) -> None:
    package = long_package(4)
    session = ReadingSession(package, AnswerStore(path))
    for number in (1, 2):
        now = session.current()
        assert now is not None and (now.number, now.total) == (number, 4)
        session.answer(now, answer_of(number), 2.0)
    again = ReadingSession(package, AnswerStore(path))
    now = again.current()
    assert now is not None and now.trial == package.trials[2] and again.upcoming() == package.trials[3]
    assert [row.values for row in again.rows] == [answer_of(1), answer_of(2)]


def test_only_the_trial_whose_turn_it_is_can_be_answered(path: Path) -> None:
    session = ReadingSession(long_package(2), AnswerStore(path))
    now = session.current()
    assert now is not None
    with pytest.raises(MedUSISError, match="no answer"):
        session.answer(now, {"source": "real"}, 1)
    session.answer(now, GOOD, 1)
    with pytest.raises(MedUSISError, match="its turn"):
        session.answer(now, GOOD, 1)
    with pytest.raises(MedUSISError, match="go back"):
        session.correct(now.trial.id, GOOD, 1)


def test_a_correction_is_a_new_row(path: Path) -> None:
    session = ReadingSession(long_package(2, allow_back=True), AnswerStore(path))
    now = session.current()
    assert now is not None
    with pytest.raises(MedUSISError, match="without an answer"):
        session.correct(now.trial.id, GOOD, 1)
    session.answer(now, answer_of(1), 1)
    session.correct(now.trial.id, answer_of(2), 1)
    session.correct(now.trial.id, answer_of(3), 1)
    history = AnswerStore(path).rows()
    assert [(row.revision, row.values) for row in history] == [(n, answer_of(n + 1)) for n in range(3)]


def test_in_sequential_reading_the_first_stage_is_locked_by_its_answer(path: Path) -> None:
    session = ReadingSession(long_package(2, stages=2), AnswerStore(path))
    seen = []
    while (now := session.current()) is not None:
        seen.append((now.number, now.stage_number))
        session.answer(now, GOOD, 1)
        with pytest.raises(MedUSISError):
            session.correct(now.trial.id, GOOD, 1, stage=now.stage_number)
    assert seen == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_the_second_session_waits_for_the_washout(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = long_package(2)
    trials = tuple(t.model_copy(update={"session": n}) for n, t in enumerate(base.trials, start=1))
    package = long_package(2, trials=trials, sessions=2, washout_days=7.0)
    session = ReadingSession(package, AnswerStore(path))
    first = session.current()
    assert first is not None and session.opens_at() is None
    session.answer(first, GOOD, 1)
    opens, second = session.opens_at(), session.current()
    assert opens is not None and second is not None
    assert timedelta(days=6.9) < opens - datetime.now(UTC) <= timedelta(days=7)
    with pytest.raises(MedUSISError, match="come back"):
        session.answer(second, GOOD, 1)


def test_breaks_profile_and_closing_form(path: Path) -> None:
    closing = (Scale(id="quality", text="?"),)
    session = ReadingSession(long_package(4, breaks_after=2, closing=closing), AnswerStore(path))
    session.note("start")
    for number in range(4):
        now = session.current()
        assert now is not None and session.wants_break() == (number == 2)
        with pytest.raises(MedUSISError, match="left to be read"):
            session.fill_closing({"quality": 3})
        if session.wants_break():
            session.note("pause")
            session.note("resume")
        session.answer(now, GOOD, 1)
    assert not session.has("closing") and session.current() is None and not session.wants_break()
    session.fill_closing({"quality": 3})
    assert ReadingSession(session.package, AnswerStore(path)).has("closing")


def test_answers_to_another_package_are_not_continued(path: Path) -> None:
    session = ReadingSession(long_package(2), AnswerStore(path))
    now = session.current()
    assert now is not None
    session.answer(now, GOOD, 1)
    with pytest.raises(MedUSISError, match="another package"):
        ReadingSession(long_package(3), AnswerStore(path))


@pytest.fixture
def postgres() -> Iterator[str]:
    """The database that MEDUSIS_TEST_POSTGRES names (postgresql+psycopg://user@host/empty), else one of its own."""
    given = os.environ.get("MEDUSIS_TEST_POSTGRES")
    if given:
        yield given
    elif postgres_server.available():
        with postgres_server.server() as url:
            yield url
    else:
        pytest.skip("no PostgreSQL server or no psycopg here, and MEDUSIS_TEST_POSTGRES names no database")


def test_a_postgresql_database_holds_answers_too(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same rows, refusals and chains as a file, with four writers at once; older tables are migrated."""
    with AnswerStore(postgres) as store:
        owner = Owner(f"s{time.time_ns()}", "0" * 64, "1" * 64, "R1")
        package = long_package(3, study=owner.study)
        one, other = ReadingSession(package, store), ReadingSession(package, store)
        now = one.current()
        assert now is not None
        one.answer(now, GOOD, 1)
        with pytest.raises(MedUSISError, match="window"):
            other.answer(now, GOOD, 1)
        store.check()
        assert [r.values for r in store.rows("R1") if r.study == owner.study] == [GOOD]
    write_at_once(postgres, f"{owner.study}b")
    monkeypatch.setattr(answer_database, "SCHEMA_VERSION", 2)
    add = "ALTER TABLE medusis_rows ADD COLUMN IF NOT EXISTS later INTEGER DEFAULT 7"
    monkeypatch.setattr(answer_database, "SCHEMA_MIGRATIONS", {1: lambda connection: connection.exec_driver_sql(add)})
    with AnswerStore(postgres) as store:
        store.check()
    monkeypatch.undo()
    with pytest.raises(MedUSISError, match="newer MedUSIS"):
        AnswerStore(postgres)
    with create_engine(postgres).begin() as connection:  # a database that was given can be given again
        connection.exec_driver_sql("UPDATE medusis_about SET value = '1'")
