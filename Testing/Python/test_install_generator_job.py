"""The job "install-generator": verified, in one step, cancellable, and heard while it downloads."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from runs_example import wait_for
from tiny_generator import tiny_bundle

from MedUSISLib.errors import MedUSISError
from MedUSISLib.generators.bundle import Bundle, load_bundle
from MedUSISLib.jobs.events import Failure, Result, Stage, Step
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "generators"
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(folder))
    return folder


def job(**parameters: object) -> Launcher:
    return Launcher(JobSpecification(kind="install-generator", parameters=parameters))


class SlowServer:
    """Gives a zip file in small pieces; after the first ones it waits until it is let go."""

    def __init__(self, content: bytes, pause: bool) -> None:
        self.go_on = Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                if pause:
                    server.go_on.wait(120)
                try:
                    self.wfile.write(content[half:])
                except OSError:
                    pass

            def log_message(self, *details: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/tiny.zip"

    def close(self) -> None:
        self.go_on.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def archive(bundle: Bundle, tmp_path: Path) -> bytes:
    return Path(shutil.make_archive(str(tmp_path / "tiny"), "zip", bundle.directory)).read_bytes()


@pytest.fixture
def slow(archive: bytes) -> Iterator[SlowServer]:
    server = SlowServer(archive, pause=True)
    yield server
    server.close()


def test_folder_is_installed_and_named(bundle: Bundle, root: Path) -> None:
    last = list(job(source=str(bundle.directory), accept="yes").events())[-1]
    assert isinstance(last, Result), last
    assert last.summary == {"id": "tiny", "version": "1.0.0", "directory": str(root / "tiny")}
    assert load_bundle("tiny").sha256 == bundle.sha256


def test_download_reports_its_bytes(archive: bytes, root: Path) -> None:
    server = SlowServer(archive, pause=False)
    try:
        events = list(job(source=server.url, accept="yes", sha256=hashlib.sha256(archive).hexdigest()).events())
    finally:
        server.close()
    assert isinstance(events[-1], Result), events[-1]
    stages = [event.name for event in events if isinstance(event, Stage)]
    assert stages == ["downloading", "unpacking", "verifying"]
    assert any(isinstance(event, Step) and event.total == len(archive) for event in events)


def some_has_come(root: Path) -> bool:
    return any(part.stat().st_size for part in root.rglob("*.part"))


def test_cancelled_download_leaves_nothing(slow: SlowServer, root: Path) -> None:
    launcher = job(source=slow.url)
    failures = []
    for event in launcher.events():
        if isinstance(event, Stage) and event.name == "downloading":
            wait_for(lambda: some_has_come(root))
            launcher.cancel(grace_s=60.0)
        if isinstance(event, Failure):
            failures.append(event)
    assert [failure.code for failure in failures] == ["CANCELLED"] and launcher.exit_code == 130
    assert not root.exists() or list(root.iterdir()) == []


def test_killed_download_leaves_nothing(slow: SlowServer, root: Path) -> None:
    launcher = job(source=slow.url)
    for event in launcher.events():
        if isinstance(event, Stage) and event.name == "downloading":
            wait_for(lambda: some_has_come(root))
            launcher.kill()
    assert [path.name for path in root.iterdir()] == [".downloads"], "what has come, for the next try"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"source": "/no/such/place"}, "GENERATOR_NOT_FOUND"),
        ({"source": "ftp://example.org/x.zip"}, "BAD_SETTING"),
    ],
)
def test_bad_source_is_a_named_error(root: Path, parameters: dict[str, object], code: str) -> None:
    last = list(job(**parameters).events())[-1]
    assert isinstance(last, Failure) and last.code == code
    assert not root.exists() or list(root.iterdir()) == []


@pytest.mark.parametrize("parameters", [{}, {"source": ""}, {"source": "x", "sha256": "12"}, {"source": "x", "y": 1}])
def test_bad_parameters_are_refused_before_a_process_starts(parameters: dict[str, object]) -> None:
    with pytest.raises(MedUSISError, match="install-generator are not valid"):
        job(**parameters).start(lambda event: None)
