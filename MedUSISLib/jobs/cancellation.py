"""How a running job hears that it should stop: a signal, or the word of its launcher on standard input."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

CONTROL_VARIABLE = "MEDUSIS_CONTROL"
"""Set to ``stdin`` by a launcher that holds the other end of the child's standard input."""


_AGAIN_S = 0.5


@contextmanager
def cancellable(on_cancel: Callable[[], None]) -> Iterator[threading.Event]:
    """Turn the first SIGINT or SIGTERM in the block into ``on_cancel()`` and a KeyboardInterrupt.

    Further signals are ignored, so that tidying up is not interrupted. With a launcher, the end of its standard
    input pipe counts as a signal too: Windows has no SIGTERM that can be caught, and a launcher that crashed closes
    its pipe on every system, so no job goes on without an owner.

    Must be entered in the main thread.

    Yields
    ------
    threading.Event
        Set when the launcher has closed its end: it wants nothing any more, or is dead.
    """
    heard = threading.Event()
    released = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if heard.is_set():
            return
        heard.set()
        on_cancel()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    if os.environ.pop(CONTROL_VARIABLE, "") == "stdin":
        lead_own_session()
        _watch_standard_input(released, heard)
    try:
        yield released
    finally:
        heard.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def lead_own_session() -> None:
    """So that all that this job starts can be ended together, whatever kind of process its launcher made."""
    if sys.platform != "win32":
        with suppress(OSError):  # it leads one already
            os.setsid()


def _watch_standard_input(released: threading.Event, heard: threading.Event) -> None:
    """Interrupt the main thread when the launcher closes its end; the job itself reads from nothing.

    Again and again until it is heard: a signal that comes just before a system call begins does not interrupt the call.
    """
    control = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        try:
            while True:
                words = os.read(control, 4096)
                if not words or b"cancel" in words:
                    break
        except OSError:
            pass
        released.set()
        while not heard.is_set():
            interrupt_main_thread()
            heard.wait(_AGAIN_S)

    threading.Thread(target=watch, name="medusis-control", daemon=True).start()


def interrupt_main_thread() -> None:
    """As if the user had pressed Ctrl-C; a system call that the main thread waits in ends, too."""
    if sys.platform == "win32":
        _thread.interrupt_main(signal.SIGINT)
    else:
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)
