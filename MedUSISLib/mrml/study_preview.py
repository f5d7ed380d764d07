"""Looking at a study as a reader will see it: the same room, with answers that nobody keeps."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.mrml.run_folder import RunFolder

if TYPE_CHECKING:
    from MedUSISLib.mrml.reading_start import OpenedReading


def open_preview(study: str | Path, reader: str | None = None) -> OpenedReading:
    """Open a study's trials for looking, in a private folder that goes away with the room.

    Parameters
    ----------
    study : str or Path
        The study's folder with its key.
    reader : str, optional
        Whose order; the first reader's when not given.

    Raises
    ------
    MedUSISError
        BAD_SETTING for a folder that is no study; DISK_FULL.
    """
    from MedUSISLib.jobs.failures import named_error
    from MedUSISLib.mrml.reading_start import OpenedReading
    from MedUSISLib.study.answers import AnswerStore
    from MedUSISLib.study.key import TRIALS_FOLDER, load_study
    from MedUSISLib.study.package import PACKAGE_NAME, open_package, package_of
    from MedUSISLib.study.session import ReadingSession
    from MedUSISLib.study.versioned import to_json

    study = Path(study)
    protocol, key = load_study(study)
    package = package_of(protocol, key, reader or protocol.readers[0])
    try:
        with ExitStack() as held:
            private = RunFolder()
            held.callback(private.close)
            folder = private.path / "package"
            (folder / TRIALS_FOLDER).mkdir(parents=True)
            (folder / PACKAGE_NAME).write_text(to_json(package), encoding="utf-8", newline="\n")
            for name in package.files:
                _link_or_copy(study / name, folder / name)
            opened = open_package(folder)
            store = held.enter_context(AnswerStore(private.path / "preview.sqlite"))
            return OpenedReading(opened, ReadingSession(opened, store), folder, held.pop_all())
    except OSError as error:
        raise named_error(error) from error


def _link_or_copy(source: Path, target: Path) -> None:
    """No second copy of the images where the file system allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
