"""Downloads: taken up again where they broke, never mixed from two versions, bounded in time; licences come first."""

from __future__ import annotations

import hashlib
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from download_server import FileServer, serving
from tiny_generator import tiny_bundle
from typer.testing import CliRunner

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.download import KeepDownload, Patience, download
from MedUSISLib.generators.install_job import install
from MedUSISLib.generators.requests import InstallRequest
from MedUSISLib.jobs.events import Failure, Result, Stage
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Progress

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
AT_ONCE = Patience(pause_s=0.0, silence_s=60.0)


class Heard(Progress):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, code: str, message: str) -> None:
        self.warnings.append(code)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as one:
        yield one


def fetch(url: str, folder: Path, sha256: str | None = None, **options: object) -> bytes:
    patience = options.pop("patience", AT_ONCE)
    with download(url, folder, 10_000_000, sha256, options.pop("progress", Progress()), patience, **options) as path:  # type: ignore[arg-type]
        return path.read_bytes()


def test_a_whole_download_leaves_nothing_behind(server: FileServer, tmp_path: Path) -> None:
    assert fetch(server.url, tmp_path / "d", DIGEST.upper()) == CONTENT
    assert server.seen == [(200, None, None)] and not (tmp_path / "d").exists()


@pytest.mark.fault
def test_a_broken_connection_is_taken_up_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [300_000, 400_000]
    progress = Heard()
    assert fetch(server.url, tmp_path / "d", progress=progress) == CONTENT
    assert [(status, wanted) for status, wanted, _ in server.seen] == [
        (200, None), (206, "bytes=300000-"), (206, "bytes=700000-")
    ]  # fmt: skip
    assert server.seen[1][2] == f'"{DIGEST}"' and progress.warnings == ["CONNECTION_BROKEN"] * 2


@pytest.mark.fault
def test_the_next_try_goes_on_with_what_was_kept(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [300_000, 0, 0, 0, 0]
    with pytest.raises(MedUSISError) as caught:
        fetch(server.url, tmp_path / "d")
    assert caught.value.code in (ErrorCode.GENERATOR_NOT_FOUND, ErrorCode.GENERATOR_CORRUPT)
    kept = [path for path in (tmp_path / "d").iterdir()]
    assert {path.suffix for path in kept} == {".part", ".json"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    assert "127.0.0.1" not in "".join(path.read_text(errors="replace") for path in kept if path.suffix == ".json")
    server.breaks.clear()
    server.seen.clear()
    assert fetch(server.url, tmp_path / "d") == CONTENT
    assert server.seen == [(206, "bytes=300000-", f'"{DIGEST}"')]


@pytest.mark.fault
@pytest.mark.parametrize("marked", [True, False])
def test_a_file_that_changed_meanwhile_is_never_mixed(server: FileServer, tmp_path: Path, marked: bool) -> None:
    server.breaks = [300_000, 0, 0, 0, 0]
    server.marks = None if marked else {}
    other = CONTENT[::-1]
    digest = hashlib.sha256(other).hexdigest()
    with pytest.raises(MedUSISError):
        fetch(server.url, tmp_path / "d", None if marked else digest)
    server.content, server.breaks = other, []
    assert fetch(server.url, tmp_path / "d", None if marked else digest) == other


@pytest.mark.fault
@pytest.mark.parametrize("marks", [{}, {"ETag": 'W/"1"'}])
def test_without_a_mark_of_the_version_it_begins_anew(server: FileServer, tmp_path: Path, marks: dict) -> None:
    server.breaks, server.marks = [300_000], marks
    assert fetch(server.url, tmp_path / "d") == CONTENT
    assert [wanted for _, wanted, _ in server.seen] == [None, None]


@pytest.mark.fault
def test_a_server_that_knows_no_parts_sends_it_all_again(tmp_path: Path) -> None:
    with serving(CONTENT, ranges=False) as server:
        server.breaks = [300_000]
        assert fetch(server.url, tmp_path / "d", DIGEST) == CONTENT
        assert [status for status, *_ in server.seen] == [200, 200]


@pytest.mark.fault
def test_a_server_that_does_not_say_how_long_it_is(server: FileServer, tmp_path: Path) -> None:
    server.announce = False
    assert fetch(server.url, tmp_path / "d", DIGEST) == CONTENT
    server.breaks = [1000]
    with pytest.raises(MedUSISError, match="SHA-256"):
        fetch(server.url, tmp_path / "d", DIGEST)


@pytest.mark.fault
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.drip = 0.01
    patience = Patience(pause_s=0.0, slowest=1e9, slow_s=0.1)
    with pytest.raises(MedUSISError) as caught:
        fetch(server.url, tmp_path / "d", patience=patience)
    assert caught.value.code is ErrorCode.TIMED_OUT
    ticks = iter(range(0, 10**9, 3600))
    with pytest.raises(MedUSISError) as caught:
        fetch(server.url, tmp_path / "e", clock=lambda: next(ticks))
    assert caught.value.code is ErrorCode.TIMED_OUT


@pytest.mark.fault
def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/x.zip"
        with pytest.raises(MedUSISError) as caught:
            fetch(url, tmp_path / "d", patience=Patience(silence_s=0.05, tries=2, pause_s=0.0))
    assert caught.value.code is ErrorCode.GENERATOR_NOT_FOUND and not (tmp_path / "d").exists()


@pytest.mark.fault
def test_a_full_disk_keeps_no_half(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from MedUSISLib.generators.install import install_generator

    class Full:
        def __init__(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("MedUSISLib.generators.download._next_block", lambda response: Full())
    with pytest.raises(MedUSISError) as caught:
        install_generator(server.url, tmp_path / "g")
    assert caught.value.code is ErrorCode.DISK_FULL and list((tmp_path / "g").iterdir()) == []


@pytest.mark.fault
def test_two_downloads_of_one_address_do_not_write_into_one_file(server: FileServer, tmp_path: Path) -> None:
    with download(server.url, tmp_path / "d", 10_000_000, None, Progress(), AT_ONCE):
        with pytest.raises(MedUSISError, match="another MedUSIS run"):
            fetch(server.url, tmp_path / "d")


def test_what_was_kept_for_an_answer_is_not_downloaded_again_within_the_hour(
    server: FileServer, tmp_path: Path
) -> None:
    with pytest.raises(KeepDownload), download(server.url, tmp_path / "d", 10_000_000, None, Progress(), AT_ONCE):
        raise KeepDownload(ErrorCode.BAD_SETTING, "ask first")
    assert fetch(server.url, tmp_path / "d") == CONTENT and len(server.seen) == 1


# Licences


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("source")
    bundle = tiny_bundle(folder / "tiny")
    return Path(shutil.make_archive(str(folder / "tiny"), "zip", bundle.directory)).read_bytes()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path / "generators"))
    return tmp_path / "generators"


def last_event(**parameters: object) -> Result | Failure:
    *_, last = Launcher(JobSpecification(kind="install-generator", parameters=parameters)).events()
    assert isinstance(last, (Result, Failure))
    return last


def done_here(**parameters: object) -> dict:
    """The summary of such a job, in this process."""
    return install(InstallRequest.model_validate(parameters), Progress()).summary()


@pytest.mark.fault
def test_a_job_tells_the_terms_first_and_installs_what_was_accepted(archive: bytes, root: Path) -> None:
    with serving(archive) as server:
        asked = done_here(source=server.url)
        assert "Licence: Apache-2.0" in asked["terms"] and len(asked["sha256"]) == 64
        assert [path.name for path in root.iterdir()] == [".downloads"]
        with pytest.raises(MedUSISError, match="changed"):
            done_here(source=server.url, accept="0" * 64)
        assert done_here(source=server.url, accept=asked["sha256"])["id"] == "tiny"
        assert len(server.seen) == 1
    assert [path.name for path in root.iterdir()] == ["tiny"]


@pytest.mark.fault
def test_the_command_shows_the_licence_and_installs_nothing_that_nobody_accepted(
    archive: bytes, root: Path, tmp_path: Path
) -> None:
    from MedUSISLib.cli.main import app

    (tmp_path / "tiny.zip").write_bytes(archive)
    answer = CliRunner().invoke(app, ["generators", "install", str(tmp_path / "tiny.zip")])
    assert answer.exit_code != 0 and "Licence: Apache-2.0" in answer.stderr and list(root.iterdir()) == []
    assert isinstance(answer.exception, MedUSISError) and "--accept-licence" in answer.exception.hint


@pytest.mark.fault
def test_a_killed_download_goes_on_with_the_next_job(archive: bytes, root: Path) -> None:
    with serving(archive) as server:
        server.breaks, server.drip = [2000], 0.0005
        launcher = Launcher(JobSpecification(kind="install-generator", parameters={"source": server.url}))
        for event in launcher.events():
            if isinstance(event, Stage) and event.name == "downloading":
                end = time.monotonic() + 120
                while time.monotonic() < end and not any(p.stat().st_size for p in root.rglob("*.part")):
                    time.sleep(0.01)
                launcher.kill()
        server.breaks, server.drip = [], 0.0
        server.seen.clear()
        asked = last_event(source=server.url)
        assert isinstance(asked, Result) and "terms" in asked.summary
        assert [status for status, *_ in server.seen] == [206]
