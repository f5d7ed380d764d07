"""Opening a reading: the package is verified and unpacked, the answers are opened, and nobody else reads with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.single_run import LOCK_SUFFIX, single_run

if TYPE_CHECKING:
    from MedUSISLib.study.package import Package
    from MedUSISLib.study.session import ReadingSession

ANSWERS_SUFFIX = "-answers.sqlite"


@dataclass
class OpenedReading:
    """A package that is being read.

    Attributes
    ----------
    package : Package
    session : ReadingSession
    folder : Path
        Where the images lie; private, gone after ``close``.
    """

    package: Package
    session: ReadingSession
    folder: Path
    _held: ExitStack

    def close(self) -> None:
        """Give the answers and the folder free; again does nothing."""
        self._held.close()


def answers_beside(package: Path) -> Path:
    """Where the answers to a package are kept when nobody says otherwise.

    Examples
    --------
    >>> answers_beside(Path("study/R1.zip")).as_posix()
    'study/R1-answers.sqlite'
    """
    return package.with_name(package.stem + ANSWERS_SUFFIX)


def open_reading(package: str | Path, reader: str, answers: str | Path | None = None) -> OpenedReading:
    """Open a package for its reader, where it was left.

    Parameters
    ----------
    package : str or Path
        The file that the administrator made for this reader.
    reader : str
        As the administrator called the reader; upper and lower case do not matter.
    answers : str or Path, optional
        A file, or the URL of a database; a file beside the package when not given.

    Raises
    ------
    MedUSISError
        BAD_SETTING when the package is another reader's, or is being read in another window; DEPENDENCY_MISSING;
        DISK_FULL; INPUT_NOT_READABLE.
    """
    from MedUSISLib.jobs.failures import named_error
    from MedUSISLib.study.answers import AnswerStore
    from MedUSISLib.study.package import open_package, unpack
    from MedUSISLib.study.session import ReadingSession

    path = Path(package)
    where = answers if answers else answers_beside(path)
    try:
        with ExitStack() as held:
            if "://" not in str(where):
                held.enter_context(_only_window(Path(where)))
            folder = path
            if path.is_dir():
                opened = open_package(path)
            else:
                private = RunFolder()
                held.callback(private.close)
                folder = private.path / "package"
                opened = unpack(path, folder)
            if opened.reader.lower() != reader.strip().lower():
                raise MedUSISError(
                    ErrorCode.BAD_SETTING, "this package was made for another reader", "give the name you were told"
                )
            store = held.enter_context(AnswerStore(where))
            session = ReadingSession(opened, store)
            return OpenedReading(opened, session, folder, held.pop_all())
    except OSError as error:
        raise named_error(error) from error


@contextmanager
def _only_window(answers: Path) -> Iterator[None]:
    """Hold a lock beside the answers; the system gives it free when the process dies."""
    with ExitStack() as held:
        try:
            held.enter_context(single_run(answers.with_name(answers.name + LOCK_SUFFIX)))
        except MedUSISError:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "these answers are open in another window",
                "go on there, or close that window first; nothing is lost",
            ) from None
        yield
