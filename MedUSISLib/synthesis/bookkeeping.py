"""What a run notes about itself: stages and their seconds, warnings, peak memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.result import SynthesisWarning


class RecordingProgress(Progress):
    """Passes everything on to another listener and keeps what the result has to say.

    Parameters
    ----------
    listener : Progress, optional
    timings, warnings : optional
        Those of the stages before, which are continued.

    Attributes
    ----------
    timings : dict of str to float
        Seconds per stage, the current one included only after ``finish``.
    warnings : list of SynthesisWarning
    """

    def __init__(
        self,
        listener: Progress | None = None,
        timings: dict[str, float] | None = None,
        warnings: list[SynthesisWarning] | None = None,
    ) -> None:
        self._listener = listener or Progress()
        self.timings = {} if timings is None else timings
        self.warnings = [] if warnings is None else warnings
        self._stage: str | None = None
        self._began = time.perf_counter()

    def stage(self, name: str) -> None:
        self.finish()
        self._stage, self._began = name, time.perf_counter()
        self._listener.stage(name)

    def finish(self) -> None:
        """The current stage ends."""
        if self._stage is not None:
            spent = time.perf_counter() - self._began
            self.timings[self._stage] = self.timings.get(self._stage, 0.0) + spent
        self._stage = None

    def step(self, done: int, total: int) -> None:
        self._listener.step(done, total)

    def preview(self, path: Path) -> None:
        self._listener.preview(path)

    def metric(self, name: str, value: float, **details: object) -> None:
        self._listener.metric(name, value, **details)

    def warning(self, code: str, message: str) -> None:
        self.warnings.append(SynthesisWarning(code, message))
        self._listener.warning(code, message)

    def checkpoint(self) -> None:
        self._listener.checkpoint()


def peak_memory_bytes() -> int:
    """Highest resident memory of this process since it started."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
