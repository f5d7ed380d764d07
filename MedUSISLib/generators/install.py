"""Installing a generator from a folder, a zip file or a URL: verified first, then put in place in one step."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, sha256_of_file, verify_bundle
from MedUSISLib.generators.catalogue import user_generator_directory
from MedUSISLib.generators.download import Patience, download
from MedUSISLib.generators.manifest import MANIFEST_NAME
from MedUSISLib.generators.partial_file import FOLDER_NAME, PartialFile
from MedUSISLib.generators.terms import Terms, TermsNotAccepted
from MedUSISLib.generators.unpack import Limits, copy_folder, unpack_zip
from MedUSISLib.generators.writing import replace_directory
from MedUSISLib.leftovers import note
from MedUSISLib.progress import Progress
from MedUSISLib.single_run import LOCK_SUFFIX, single_run
from MedUSISLib.trouble import DISK_ERRNO

__all__ = ["Limits", "forget_download", "install_generator", "remove_generator"]

_PATIENCE = Patience()


def install_generator(
    source: str | Path,
    destination: str | Path | None = None,
    *,
    replace: bool = False,
    sha256: str | None = None,
    limits: Limits | None = None,
    try_network: bool = True,
    progress: Progress | None = None,
    accept: Callable[[Terms], bool] | None = None,
) -> Bundle:
    """Install a generator for this user.

    The source is copied, unpacked or downloaded into a hidden folder beside its final place, every file is checked
    against the manifest, and the network is built from its weights once. Only then the folder is renamed to the
    generator's id. Any failure leaves the generator folder as it was, but for a download that can be gone on with.

    Parameters
    ----------
    source : str or Path
        A bundle folder, a zip file that holds one, or an https URL of such a zip file.
    destination : str or Path, optional
        Generator folder; the user's own (``catalogue.user_generator_directory``) by default.
    replace : bool
        Replace an installed generator of the same id that is not identical.
    sha256 : str, optional
        Expected SHA-256 of the zip file, for a file or a URL.
    limits : Limits, optional
        Largest sizes and file counts accepted.
    try_network : bool
        Build the network and load its weights before installing (needs torch).
    progress : Progress, optional
    accept : callable, optional
        Shown the terms of a generator that is not installed yet, before it is; False ends it. A program that gives
        none has shown them itself.

    Raises
    ------
    TermsNotAccepted
        When ``accept`` said False.
    MedUSISError
        GENERATOR_NOT_FOUND when there is nothing at the source; GENERATOR_CORRUPT when it is damaged, holds a pickle, a
        link or a name that leaves its folder, or is too large; BAD_SETTING when another generator of this id is
        installed and ``replace`` is not set; DISK_FULL.
    """
    listener = progress or Progress()
    bounds = limits or Limits()
    root = Path(destination) if destination is not None else user_generator_directory()
    with ExitStack() as held:
        staging = held.enter_context(_staging_folder(root))
        folder = held.enter_context(_fetched(source, root, staging, bounds, sha256, listener))
        listener.stage("verifying")
        bundle = verify_bundle(folder)
        if try_network:
            bundle.load_network("cpu")
        note(lock_path := root / f".{bundle.manifest.id}{LOCK_SUFFIX}")
        held.enter_context(single_run(lock_path))
        target = root / bundle.manifest.id
        if target.exists():
            try:
                installed = verify_bundle(target)
            except MedUSISError:
                installed = None
            if installed is not None and installed.sha256 == bundle.sha256:
                return installed
            if installed is not None and not replace:
                raise MedUSISError(
                    ErrorCode.BAD_SETTING,
                    f"the generator '{bundle.manifest.id}' {installed.manifest.version} is installed already",
                    "say --replace to replace it",
                    path=target,
                )
        if accept is not None and not accept(terms := Terms.of(bundle)):
            raise TermsNotAccepted(terms)
        listener.checkpoint()
        folder.chmod(0o755)
        replace_directory(folder, target)
    return verify_bundle(target)


def remove_generator(identifier: str, destination: str | Path | None = None) -> None:
    """Remove a generator that the user installed; shipped ones are not touched.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND when the user has installed none of this id.
    """
    target = installed_by_user(identifier, destination)
    doomed = Path(tempfile.mkdtemp(prefix=".removing-", dir=target.parent))
    target.rename(doomed / identifier)
    shutil.rmtree(doomed, ignore_errors=True)


def installed_by_user(identifier: str, destination: str | Path | None = None) -> Path:
    """The folder of a generator that the user installed; GENERATOR_NOT_FOUND when there is none of this id."""
    root = Path(destination) if destination is not None else user_generator_directory()
    target = root / identifier
    inside = identifier not in ("", ".", "..") and Path(identifier).name == identifier
    if not inside or target.is_symlink() or not (target / MANIFEST_NAME).is_file():
        raise MedUSISError(
            ErrorCode.GENERATOR_NOT_FOUND,
            "no generator of this id was installed by you",
            "list the installed ones with: medusis generators list",
        )
    return target


@contextmanager
def _staging_folder(root: Path) -> Iterator[Path]:
    """A hidden folder in the generator folder (same file system: the rename is one step), gone afterwards."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".installing-", dir=root))
        note(staging)  # whoever started this process removes it when the process is killed
    except OSError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the generator folder cannot be written to", "choose another one", path=root
        ) from error
    try:
        yield staging
    except OSError as error:
        if error.errno in DISK_ERRNO:
            raise MedUSISError(
                ErrorCode.DISK_FULL, "the disk of the generator folder is full", "free some space", path=root
            ) from error
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def forget_download(source: str, destination: str | Path | None = None) -> None:
    """Remove what was downloaded from an address and kept, as after terms that were not accepted."""
    root = Path(destination) if destination is not None else user_generator_directory()
    partial = PartialFile(root / FOLDER_NAME, source)
    partial.discard()
    partial.close()


@contextmanager
def _fetched(
    source: str | Path, root: Path, staging: Path, limits: Limits, sha256: str | None, progress: Progress
) -> Iterator[Path]:
    """Bring the source into the staging folder; the folder that holds its manifest."""
    text = str(source)
    target = staging / "bundle"
    if isinstance(source, str) and "://" in text:
        progress.stage("downloading")
        with download(text, root / FOLDER_NAME, limits.total_bytes, sha256, progress, _PATIENCE) as archive:
            progress.stage("unpacking")
            yield unpack_zip(archive, target, limits)
    else:
        yield _local(Path(source).expanduser(), target, limits, sha256, progress)


def _local(path: Path, target: Path, limits: Limits, sha256: str | None, progress: Progress) -> Path:
    if path.is_dir():
        progress.stage("copying")
        return copy_folder(path, target, limits)
    if path.is_file():
        if not zipfile.is_zipfile(path):
            raise MedUSISError(
                ErrorCode.GENERATOR_CORRUPT,
                "the given file is not a zip file",
                "give a bundle folder, a zip file or a URL",
                path=path,
            )
        _check_archive(path, sha256)
        progress.stage("unpacking")
        return unpack_zip(path, target, limits)
    raise MedUSISError(
        ErrorCode.GENERATOR_NOT_FOUND,
        "there is nothing at the place that was given for the generator",
        "give a bundle folder, a zip file or an https URL",
        path=path,
    )


def _check_archive(path: Path, sha256: str | None) -> None:
    if sha256 is not None and sha256_of_file(path) != sha256.lower():
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT,
            "the zip file is not the expected one: its SHA-256 differs",
            "fetch it again",
            path=path,
        )
