"""Installing trusts nothing: what is not a clean bundle is refused, and the generator folder stays as it was."""

from __future__ import annotations

import hashlib
import pickle
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_generator import tiny_bundle

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, load_bundle
from MedUSISLib.generators.download import Patience
from MedUSISLib.generators.install import Limits, install_generator, remove_generator
from MedUSISLib.progress import Progress


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("MedUSISLib.generators.install._PATIENCE", Patience(pause_s=0.0))
    folder = tmp_path / "generators"
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(folder))
    return folder


def zipped(
    bundle: Bundle, path: Path, prefix: str = "", change: Callable[[zipfile.ZipFile], None] | None = None
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(bundle.directory.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(bundle.directory).as_posix())
        if change is not None:
            change(archive)
    return path


def refused(source: str | Path, root: Path, code: ErrorCode = ErrorCode.GENERATOR_CORRUPT, **options: object) -> str:
    before = sorted(root.rglob("*")) if root.exists() else []
    outside = sorted(path for path in root.parent.rglob("*") if root not in path.parents and path != root)
    with pytest.raises(MedUSISError) as caught:
        install_generator(source, **options)  # type: ignore[arg-type]
    assert caught.value.code is code, caught.value
    assert (sorted(root.rglob("*")) if root.exists() else []) == before
    assert sorted(path for path in root.parent.rglob("*") if root not in path.parents and path != root) == outside
    return caught.value.message


def test_folder_is_installed_under_its_id(bundle: Bundle, root: Path) -> None:
    installed = install_generator(bundle.directory)
    assert installed.directory == root / "tiny"
    assert installed.sha256 == bundle.sha256
    assert load_bundle("tiny").directory == root / "tiny"
    assert [path.name for path in root.iterdir()] == ["tiny"]


@pytest.mark.parametrize("prefix", ["", "some-folder-1.0/"])
def test_zip_is_installed(bundle: Bundle, root: Path, tmp_path: Path, prefix: str) -> None:
    archive = zipped(bundle, tmp_path / "g.zip", prefix, lambda z: z.writestr("__MACOSX/._x", b"x"))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert install_generator(archive, sha256=digest).sha256 == bundle.sha256


def test_installing_twice_changes_nothing(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    install_generator(bundle.directory)
    assert install_generator(bundle.directory).sha256 == bundle.sha256
    other = tiny_bundle(tmp_path / "other" / "tiny", seed=5)
    assert "installed already" in refused(other.directory, root, ErrorCode.BAD_SETTING)
    assert install_generator(other.directory, replace=True).sha256 == other.sha256
    assert [path.name for path in root.iterdir()] == ["tiny"]


def test_broken_installation_is_repaired(bundle: Bundle, root: Path) -> None:
    install_generator(bundle.directory)
    (root / "tiny" / "README.md").write_text("changed")
    assert install_generator(bundle.directory).sha256 == bundle.sha256
    load_bundle("tiny")


def test_removing(bundle: Bundle, root: Path) -> None:
    install_generator(bundle.directory)
    for bad in ("nothing", "../tiny", "", ".", "tiny/configs"):
        with pytest.raises(MedUSISError):
            remove_generator(bad)
    remove_generator("tiny")
    assert list(root.iterdir()) == []


def symlink_entry(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("link.md")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../evil.md", b"x"),
        ("configs/../../evil.md", b"x"),
        ("/evil.md", b"x"),
        ("C:/evil.md", b"x"),
        ("..\\evil.md", b"x"),
        ("weights.pt", pickle.dumps([1])),
        ("setup.py", b"import os"),
        ("inner.zip", b"PK\x03\x04"),
        ("hidden.md", pickle.dumps([1])),
        ("README.MD", b"two of the same name on some systems"),
        ("weights9.safetensors", b"not named by the manifest"),
    ],
)
def test_zip_with_a_bad_file_is_refused(bundle: Bundle, root: Path, tmp_path: Path, name: str, content: bytes) -> None:
    refused(zipped(bundle, tmp_path / "g.zip", change=lambda z: z.writestr(name, content)), root)


def test_zip_with_a_link_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    assert "link" in refused(zipped(bundle, tmp_path / "g.zip", change=symlink_entry), root)


def test_zip_bomb_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    bomb = zipped(bundle, tmp_path / "g.zip", change=lambda z: z.writestr("zeros.txt", bytes(20_000_000)))
    assert "far more" in refused(bomb, root)


def test_declared_size_is_not_believed(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    archive = zipped(bundle, tmp_path / "g.zip")
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo("weights.safetensors")
    real, claimed = entry.file_size.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert content.count(real) >= 2
    archive.write_bytes(content.replace(real, claimed))
    refused(archive, root)


def test_too_large_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    small = Limits(total_bytes=10_000)
    assert "limit" in refused(bundle.directory, root, limits=small)
    assert "limit" in refused(zipped(bundle, tmp_path / "g.zip"), root, limits=small)
    assert "many" in refused(tmp_path / "g.zip", root, limits=Limits(files=3))


def test_zip_without_or_with_two_bundles_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("README.md", "nothing here")
    assert "exactly one" in refused(tmp_path / "none.zip", root)
    two = zipped(bundle, tmp_path / "two.zip", "a/", lambda z: z.writestr("b/manifest.json", "{}"))
    assert "exactly one" in refused(two, root)


def test_damaged_zip_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    archive = zipped(bundle, tmp_path / "g.zip")
    archive.write_bytes(archive.read_bytes()[:-200])
    refused(archive, root)
    (tmp_path / "text.zip").write_text("hello")
    assert "not a zip" in refused(tmp_path / "text.zip", root)


def test_wrong_hash_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    assert "SHA-256" in refused(zipped(bundle, tmp_path / "g.zip"), root, sha256="0" * 64)


def test_folder_with_a_link_is_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle.directory, copy)
    (copy / "more.md").symlink_to("/etc/hosts")
    assert "link" in refused(copy, root)


def test_nothing_at_the_source(root: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nothing", root, ErrorCode.GENERATOR_NOT_FOUND)
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", root, ErrorCode.GENERATOR_NOT_FOUND)


def test_cancelled_installation_leaves_nothing(bundle: Bundle, root: Path) -> None:
    class Cancelling(Progress):
        def checkpoint(self) -> None:
            raise MedUSISError(ErrorCode.CANCELLED, "cancelled")

    root.mkdir(parents=True)
    refused(bundle.directory, root, ErrorCode.CANCELLED, progress=Cancelling())


@contextmanager
def served(content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A server on this machine that gives one answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in (headers or {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tiny.zip"
    finally:
        server.shutdown()
        server.server_close()


def test_url_is_installed(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    content = zipped(bundle, tmp_path / "g.zip").read_bytes()
    with served(content) as url:
        assert install_generator(url, sha256=hashlib.sha256(content).hexdigest()).sha256 == bundle.sha256


def test_bad_downloads_are_refused(bundle: Bundle, root: Path, tmp_path: Path) -> None:
    root.mkdir(parents=True)
    content = zipped(bundle, tmp_path / "g.zip").read_bytes()
    with served(content) as url:
        assert "SHA-256" in refused(url, root, sha256="1" * 64)
        assert "limit" in refused(url, root, limits=Limits(total_bytes=5000))
    with served(content, headers={"Connection": "close"}) as url:
        assert "limit" in refused(url, root, limits=Limits(total_bytes=5000))
    with served(content[:-500], headers={"Content-Length": str(len(content))}) as url:
        refused(url, root, ErrorCode.GENERATOR_CORRUPT)
    with served(b"", 404) as url:
        assert "404" in refused(url, root, ErrorCode.GENERATOR_NOT_FOUND)
    with served(b"", 302, {"Location": "http://example.org/g.zip"}) as url:
        refused(url, root, ErrorCode.BAD_SETTING)
    with served(b"", 302, {"Location": "file:///etc/passwd"}) as url:
        refused(url, root, ErrorCode.GENERATOR_NOT_FOUND)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/g.zip", "file:///tmp/g.zip", "ftp://x/g.zip", "https://", "https://[::1", "https://x:y/g.zip"],
)
def test_only_https_is_accepted(root: Path, url: str) -> None:
    root.mkdir(parents=True)
    refused(url, root, ErrorCode.BAD_SETTING)


def test_folder_that_cannot_be_written_is_a_named_error(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(MedUSISError) as caught:
        install_generator(bundle.directory, tmp_path / "file")
    assert caught.value.code is ErrorCode.BAD_SETTING
