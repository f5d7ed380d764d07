"""What to try when the memory did not suffice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode
from MedUSISLib.mrml.settings import SynthesisSettings

if TYPE_CHECKING:
    from MedUSISLib.jobs.events import Failure

_FIRST_BATCH_SIZE = 4


def suggestions(failure: Failure, settings: SynthesisSettings) -> list[tuple[str, SynthesisSettings]]:
    """Gentler settings, most promising first, each with the words for its button; empty for any other failure.

    Examples
    --------
    >>> from MedUSISLib.jobs.events import Failure
    >>> [text for text, _ in suggestions(Failure("OUT_OF_MEMORY", ""), SynthesisSettings(batch_size=2))]
    ['Try again with 1 slice at a time', 'Try again on the CPU (slower)']
    """
    if failure.code != ErrorCode.OUT_OF_MEMORY.value:
        return []
    found: list[tuple[str, SynthesisSettings]] = []
    smaller = _FIRST_BATCH_SIZE if settings.batch_size is None else settings.batch_size // 2
    on_cpu = settings.device == "cpu"
    if on_cpu:
        smaller = min(smaller, 1)  # the CPU takes two by itself
    if smaller >= 1 and smaller != settings.batch_size:
        slices = "slice" if smaller == 1 else "slices"
        found.append((f"Try again with {smaller} {slices} at a time", replace(settings, batch_size=smaller)))
    if not on_cpu:
        found.append(("Try again on the CPU (slower)", replace(settings, device="cpu", batch_size=None)))
    if settings.mode != "slice":
        found.append(("Try again slice by slice", replace(settings, mode="slice")))
    if settings.noise_samples > 0:
        found.append(("Try again without noise samples", replace(settings, noise_samples=0)))
    return found
