"""Options that several verbs share, and how what was typed becomes a value of a request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

DEVICE = typer.Option("auto", "--device", metavar="auto|cpu|cuda[:N]", help="Where to compute.")
CT_SERIES = typer.Option(
    None, "--ct-series", metavar="UID", help="SeriesInstanceUID of the CT, when its folder holds several CTs."
)
JSON_EVENTS = typer.Option(
    False, "--json-events", help="Write events as JSON lines on standard output instead of a progress bar."
)
OVERWRITE = typer.Option(False, "--overwrite", help="Write although files are there that MedUSIS did not write.")
VERBOSE = typer.Option(False, "--verbose", help="Show what the libraries print, too.")


def absolute(path: Path) -> Path:
    """The path as the child process, whose folder may be another one, must see it."""
    return Path(os.path.abspath(path.expanduser()))


StudyAnswers = Annotated[
    list[str] | None,
    typer.Option(
        "--answers",
        metavar="FILE|URL",
        help="Files from readers, or a database; may be repeated. answers.sqlite in the study if not given.",
    ),
]


def answer_place(text: str) -> str | Path:
    """Answers of a study: a URL of a database stays, a path becomes absolute."""
    return text if "://" in text else absolute(Path(text))


def name_or_path(text: str) -> str:
    """What is a name in the catalogue stays; what is plainly a path becomes absolute.

    A path has a separator or a suffix such as ``.csv``, or is a file or folder here and begins with ``.``.

    Examples
    --------
    >>> name_or_path("head-t1w")
    'head-t1w'
    >>> Path(name_or_path("tables/mine.csv")).is_absolute()
    True
    """
    separators = [s for s in (os.sep, os.altsep) if s]
    if any(s in text for s in separators) or text.startswith((".", "~")) or Path(text).suffix in (".csv", ".json"):
        return str(absolute(Path(text)))
    return text
