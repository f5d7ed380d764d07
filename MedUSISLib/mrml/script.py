"""What the scripts that run under ``Slicer --python-script`` share: how they end, and what keeps Slicer alive."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

DEPENDENCY_MISSING, CANCELLED = 33, 130  # of docs/jobs.md; needed where the packages that know them are missing


def run_script(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    work: Callable[[argparse.Namespace], int],
) -> int:
    """Do what the arguments say; the exit code. Never raises, not even for --help or a wrong option.

    Slicer keeps "--help" for itself, so a "--" before the arguments is passed over.

    Parameters
    ----------
    parser : ArgumentParser
        With an option ``--verbose``: show where an unexpected error came from.
    arguments : sequence of str, optional
        ``sys.argv`` by default.
    work : callable
        Gives the exit code where nothing is raised.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--"]:
        given = given[1:]
    try:
        options = parser.parse_args(given)
    except SystemExit as done:
        return int(done.code or 0)
    try:
        return work(options)
    except KeyboardInterrupt:
        print("CANCELLED: the job was cancelled", file=sys.stderr, flush=True)
        return CANCELLED
    except Exception as error:
        if options.verbose:
            from MedUSISLib.library_words import print_error

            print_error(error)
        return report(error)


def report(error: Exception) -> int:
    """Say what happened and what to do; the exit code."""
    try:
        from MedUSISLib.jobs.failures import exit_code_of, named_error

        named: Exception = named_error(error)
        code = exit_code_of(named)  # type: ignore[arg-type]
    except ImportError:  # pydantic is one of the packages that may be missing
        named, code = error, DEPENDENCY_MISSING
    print(f"{named}", file=sys.stderr, flush=True)
    path = getattr(named, "path", None)
    if path is not None:
        print(f"  file: {path}", file=sys.stderr, flush=True)
    return code


def process_events() -> Callable[[], object] | None:
    """What keeps a Slicer application alive while a job runs; None without an application."""
    application = getattr(sys.modules.get("slicer"), "app", None)
    return application.processEvents if application is not None else None


def leave(code: int) -> None:
    """End the process with this code: Slicer ends by its own function, everything else by Python's."""
    slicer = sys.modules.get("slicer")
    if slicer is not None and hasattr(slicer, "app"):
        slicer.util.exit(code)
    else:
        sys.exit(code)
