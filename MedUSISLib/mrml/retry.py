"""What to try when the memory did not suffice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode
from MedUSISLib.mrml.settings import SynthesisSettings

if TYPE_CHECKING:
    from MedUSISLib.jobs.events import Failure

_ON_A_CARD = 4
"""Slices at a time when none were chosen: the engine takes sixteen on a card and has tried eight already."""


def suggestions(failure: Failure, settings: SynthesisSettings) -> list[tuple[str, SynthesisSettings]]:
    """Gentler settings, most promising first, each with the words for its button; empty for any other failure.

    With the device "auto" the engine has gone to the CPU by itself, so that is not suggested.

    Examples
    --------
    >>> from MedUSISLib.jobs.events import Failure
    >>> settings = SynthesisSettings(device="cuda", batch_size=2)
    >>> [text for text, _ in suggestions(Failure("OUT_OF_MEMORY", ""), settings)]
    ['Try again with 1 slice at a time', 'Try again on the CPU (slower)', 'Try again in overlapping windows']
    """
    if failure.code != ErrorCode.OUT_OF_MEMORY.value:
        return []
    found: list[tuple[str, SynthesisSettings]] = []
    on_a_card = settings.device.startswith("cuda")
    if settings.batch_size is not None:
        smaller = settings.batch_size // 2
    else:
        smaller = _ON_A_CARD if on_a_card else 1
    if smaller >= 1:
        slices = "slice" if smaller == 1 else "slices"
        found.append((f"Try again with {smaller} {slices} at a time", replace(settings, batch_size=smaller)))
    if on_a_card:
        found.append(("Try again on the CPU (slower)", replace(settings, device="cpu", batch_size=None)))
    if settings.mode == "slice":
        found.append(("Try again in overlapping windows", replace(settings, mode="window")))
    elif settings.mode == "three-view":
        found.append(("Try again slice by slice", replace(settings, mode="slice")))
    if settings.noise_samples > 0:
        found.append(("Try again without noise samples", replace(settings, noise_samples=0)))
    return found
