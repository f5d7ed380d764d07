"""What a batch would do; nothing is written, but what was found where somebody asks for it."""

from __future__ import annotations

from MedUSISLib.batch.case import FoundCases
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.found_file import write_found
from MedUSISLib.batch.outcome import BatchOutcome
from MedUSISLib.batch.part import part_of
from MedUSISLib.batch.preparing import checked_generator
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.sizing import Sizing, size_up
from MedUSISLib.generators.manifest import Manifest as GeneratorManifest


def look(request: BatchRequest) -> tuple[FoundCases, BatchOutcome]:
    """What would be done, with every case; raises what a batch would raise before its first case."""
    generator = checked_generator(request)
    found = part_of(find_cases(request.input), request.part)
    return found, dry_run(request, found, generator.manifest)


def dry_run(request: BatchRequest, found: FoundCases, generator: GeneratorManifest) -> BatchOutcome:
    """Counts, workers and their memory; ``request.found`` gets cases and problems, for this machine only."""
    sizing = size_up(request, found.cases, generator) if found.cases else Sizing((), None, 0)
    if request.found is not None:
        write_found(request.found, found)
    return BatchOutcome(
        kind=found.kind,
        cases=len(found.cases),
        problems=len(found.problems),
        without_segmentation=found.without_segmentation,
        workers=len(sizing.places),
        waiting=len(found.cases),
        worker_bytes=sizing.worker_bytes,
    )
