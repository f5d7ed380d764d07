"""A job's child process as a QProcess: heard by Slicer's event loop, where threads of Python hardly run."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import qt

from MedUSISLib.mrml.worker import Worker, serve_command, worker_command

if TYPE_CHECKING:
    from MedUSISLib.jobs.process import ProcessListener

START_TIMEOUT_MS = 30000
_SIGNALS = range(1, 65)


class QtProcess:
    """A ``jobs.process.TalkingProcess`` made of a QProcess; one object, one child.

    The listener is called in the thread of the event loop, line by line and in order, also when it handles events
    itself; the end comes once and last. When Slicer dies, the system closes the child's standard input, which ends it.
    """

    def __init__(self) -> None:
        self._process = None
        self._pid: int | None = None
        self._listener: ProcessListener | None = None
        self._output, self._errors = Lines(), Lines()
        self._to_tell: deque[Callable[[], None]] = deque()
        self._telling = False
        self._ended = False
        self._end_told = False

    @property
    def pid(self) -> int | None:
        return self._pid

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        """Start it; OSError when it does not start."""
        # A parent, because PythonQt would delete an orphan as soon as Python forgets it: in its own signal, perhaps.
        process = qt.QProcess(qt.QCoreApplication.instance())
        variables = qt.QProcessEnvironment()
        for name, value in environment.items():
            if _is_text(name + value):  # Qt knows no others
                variables.insert(name, value)
        process.setProcessEnvironment(variables)
        process.connect("readyReadStandardOutput()", self._read_output)
        process.connect("readyReadStandardError()", self._read_errors)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        self._process, self._listener = process, listener
        process.start(command[0], list(command[1:]))
        if not process.waitForStarted(START_TIMEOUT_MS):
            self._process = None
            process.kill()
            process.deleteLater()
            raise OSError("the process did not start")
        # It may have ended while it was waited for; its number is 0 then.
        self._pid = int(process.processId()) or self._pid

    def write_line(self, line: str) -> None:
        """A line for its standard input; OSError when it has ended."""
        if self._process is None or self._ended:
            raise OSError("the process has ended")
        if self._process.write((line + "\n").encode("utf-8")) == -1:
            raise OSError("the process does not listen")

    def ask_to_stop(self) -> None:
        """Close its standard input, which is the word on every system; SIGTERM where that can be caught."""
        if self._process is None or self._ended:
            return
        self._process.closeWriteChannel()
        if sys.platform != "win32":  # there it would ask windows to close, and a job has none
            self._process.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end in this thread; what it still says is heard meanwhile."""
        if self._process is not None and not self._ended:
            self._process.waitForFinished(int(1000 * timeout_s))
        return self._end_told

    def _read_output(self) -> None:
        if self._process is not None and self._listener is not None:
            piece = _bytes(self._process.readAllStandardOutput())
            self._tell(*[partial(self._listener.output_line, line) for line in self._output.feed(piece)])

    def _read_errors(self) -> None:
        if self._process is not None and self._listener is not None:
            piece = _bytes(self._process.readAllStandardError())
            self._tell(*[partial(self._listener.error_line, line) for line in self._errors.feed(piece)])

    def _finished(self, exit_code: int, exit_status: object) -> None:
        if self._ended or self._process is None or self._listener is None:
            return
        self._read_output()
        self._read_errors()
        self._ended = True
        crashed = exit_status == qt.QProcess.CrashExit
        process, self._process = self._process, None
        process.deleteLater()
        last_words = [
            *[partial(self._listener.output_line, line) for line in self._output.rest()],
            *[partial(self._listener.error_line, line) for line in self._errors.rest()],
        ]
        self._tell(*last_words, partial(self._tell_end, _signed(int(exit_code), crashed)))

    def _tell_end(self, exit_code: int) -> None:
        self._end_told = True
        if self._listener is not None:
            self._listener.finished(exit_code)

    def _tell(self, *news: Callable[[], None]) -> None:
        """Call one after the other; what is added by a listener that handles events comes after it."""
        self._to_tell.extend(news)
        if self._telling:
            return
        self._telling = True
        try:
            while self._to_tell:
                self._to_tell.popleft()()
        finally:
            self._telling = False


class Lines:
    """Whole lines of UTF-8 out of pieces that end anywhere.

    Examples
    --------
    >>> lines = Lines()
    >>> lines.feed("Gewebe f\\u00fcr".encode()[:9]), lines.feed("\\u00fc\\r\\nzwei".encode()[1:]), lines.rest()
    ([], ['Gewebe f\\u00fc'], ['zwei'])
    """

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, piece: bytes) -> list[str]:
        """The lines that this piece completes."""
        *whole, self._begun = (self._begun + piece).split(b"\n")
        return [_text(line) for line in whole]

    def rest(self) -> list[str]:
        """A last line without an end."""
        begun, self._begun = self._begun, b""
        return [_text(begun)] if begun else []


def _bytes(array: object) -> bytes:
    """What a QByteArray holds; PythonQt may say it as text when it is empty."""
    content = array.data()  # type: ignore[attr-defined]
    return content.encode("utf-8") if isinstance(content, str) else bytes(content or b"")


def _is_text(value: str) -> bool:
    """False for bytes that are no UTF-8, which Python keeps as single surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r")


def _signed(exit_code: int, crashed: bool) -> int:
    """Negative: killed by that signal, as ``subprocess`` says it; never 0 after a crash."""
    if not crashed:
        return exit_code
    return -exit_code if exit_code in _SIGNALS else exit_code or -9


def single_shot(milliseconds: int, function: Callable[[], None]) -> None:
    """Call the function once, later, in the event loop."""
    qt.QTimer.singleShot(milliseconds, function)


def qt_worker() -> Worker:
    """How the window of the module makes child processes."""
    return Worker(QtProcess, worker_command, single_shot, serve_command=serve_command)
