"""A child process behind a small protocol: ``subprocess`` here, QProcess in Slicer, a double in tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Protocol


class ProcessListener(Protocol):
    """Who hears the process. Calls may come from any thread; ``finished`` comes once and last."""

    def output_line(self, line: str) -> None:
        """A line of standard output, without its end."""

    def error_line(self, line: str) -> None:
        """A line of standard error, without its end."""

    def finished(self, exit_code: int) -> None:
        """The process is gone; negative: killed by that signal."""


class ProcessProtocol(Protocol):
    """What the launcher needs of a process."""

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        """Start it; return at once."""

    def ask_to_stop(self) -> None:
        """Close its standard input, and send SIGTERM where that can be caught; return at once."""

    def wait(self, timeout_s: float) -> bool:
        """Wait in this thread until the listener has heard the end; False when it has not by then."""


class TalkingProcess(ProcessProtocol, Protocol):
    """A process that is told something while it runs."""

    def write_line(self, line: str) -> None:
        """A line for its standard input, without its end; OSError when it does not listen any more."""


class SubprocessProcess:
    """A process of the standard library, in a session of its own, heard by threads.

    A session of its own: Ctrl-C in a terminal reaches the launcher alone, which then ends the job in an orderly way.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._waiting: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        self._process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        arguments = (self._process, listener)
        self._waiting = threading.Thread(target=self._wait, args=arguments, name="medusis-wait", daemon=True)
        self._waiting.start()

    def write_line(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            raise OSError("it was not started")
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except ValueError as error:  # closed
            raise OSError("its standard input is closed") from error

    def ask_to_stop(self) -> None:
        if self._process is None:
            return
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if sys.platform != "win32":
            with suppress(OSError):
                self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> bool:
        if self._waiting is not None:
            self._waiting.join(timeout_s)
        return self._waiting is None or not self._waiting.is_alive()

    @staticmethod
    def _wait(process: subprocess.Popen[str], listener: ProcessListener) -> None:
        assert process.stdout is not None and process.stderr is not None
        readers = [
            threading.Thread(target=_read_lines, args=(process.stdout, listener.output_line), daemon=True),
            threading.Thread(target=_read_lines, args=(process.stderr, listener.error_line), daemon=True),
        ]
        for reader in readers:
            reader.start()
        _kill_session_after_end(process.pid)
        exit_code = process.wait()
        for reader in readers:
            reader.join(timeout=5.0)  # a helper that fled into another session may hold the pipe open
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        listener.finished(exit_code)


def _kill_session_after_end(pid: int) -> None:
    """Wait for the end of the process and kill helpers that it left, while its number is still its own."""
    if hasattr(os, "waitid"):
        with suppress(OSError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            os.killpg(pid, signal.SIGKILL)


def _read_lines(stream: IO[str], receive: Callable[[str], None]) -> None:
    with suppress(OSError, ValueError):
        for line in stream:
            receive(line.rstrip("\r\n"))
