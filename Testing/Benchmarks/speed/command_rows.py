"""Rows about the whole command: from files to files, with everything that a user waits for but the loading."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from standard_generator import write_case, write_generator


@dataclass(frozen=True)
class CommandFigures:
    """Seconds, one value per round."""

    slices: int
    one_pass: list[float]
    twenty_passes: list[float]
    processor: dict[int, list[float]]
    """Processor seconds by passes: what a busy machine does not change."""
    synthesizing: list[float]
    """With one pass: the network at work."""
    files: list[float]
    """With one pass: reading, conforming, restoring, writing."""
    timings: dict[str, float]
    """Of the last run with one pass."""


def command_figures(slices: int, rounds: int, say: Callable[[str], None]) -> CommandFigures:
    """One and twenty passes in turn, the generator kept in memory."""
    from MedUSISLib.synthesis.engine import synthesize
    from MedUSISLib.synthesis.loaded_generators import LoadedGenerators
    from MedUSISLib.synthesis.request import SynthesisRequest

    seconds: dict[int, list[float]] = {1: [], 20: []}
    processor: dict[int, list[float]] = {1: [], 20: []}
    synthesizing, files, timings = [], [], {}
    with tempfile.TemporaryDirectory(prefix="medusis-benchmark-") as name:
        folder = Path(name)
        case, generator = write_case(folder, slices), write_generator(folder)
        kept = LoadedGenerators(keep=1)
        for number in range(rounds + 1):
            for passes in (1, 20) if number else (1,):  # the first one loads
                request = SynthesisRequest.model_validate(
                    {**case, "generator": generator, "out": folder / f"out{passes}", "passes": passes}
                    | {"overwrite": True, "device": "cpu"}
                )
                began, worked = time.perf_counter(), time.process_time()
                result = synthesize(request, generators=kept)
                spent, worked = time.perf_counter() - began, time.process_time() - worked
                say(f"round {number}: {passes} passes of {slices} slices {spent:.1f} s, {worked:.1f} of the processor")
                if not number:
                    continue
                seconds[passes].append(spent)
                processor[passes].append(worked)
                if passes == 1:
                    timings = result.timings
                    synthesizing.append(timings["synthesizing"])
                    files.append(sum(timings.get(k, 0.0) for k in ("reading", "preparing", "restoring", "writing")))
    return CommandFigures(slices, seconds[1], seconds[20], processor, synthesizing, files, timings)
