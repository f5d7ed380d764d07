"""Whether a run can start, and what to say next to the button."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _

from .parameters import settings_of


@dataclass(frozen=True)
class Notice:
    """What the panel itself has to say; has the fields of ``MedUSISLib.mrml.readiness.Finding``."""

    code: str
    message: str
    hint: str
    blocking: bool


def findings(parameters, packages_complete: bool, entry, schema, classes, free_bytes) -> list:
    """What is missing, the blocking findings first.

    Parameters
    ----------
    parameters : Parameters or None
    packages_complete : bool
    entry : ShelfEntry or None
        The chosen generator.
    schema : LabelSchema or None
        Of the chosen generator.
    classes : mapping of str to str
        Class of each segment.
    free_bytes : int or None
        Free memory of the computer.
    """
    if parameters is None:
        return []
    if not packages_complete:
        return [
            Notice("DEPENDENCY_MISSING", _("Packages are missing"), _("Install them with the button at the top"), True)
        ]
    found: list = []
    if entry is None:
        found.append(
            Notice("GENERATOR_NOT_FOUND", _("The chosen generator is not installed"), _("Choose another one"), True)
        )
    from MedUSISLib.mrml.readiness import check_inputs, check_memory

    found += check_inputs(parameters.ct, parameters.segmentation, classes, schema)
    if parameters.ct is not None and entry is not None and not any(finding.blocking for finding in found):
        found += check_memory(parameters.ct, settings_of(parameters), entry.manifest, free_bytes)
    return sorted(found, key=lambda finding: not finding.blocking)


def is_ready(parameters, found) -> bool:
    """Whether nothing is in the way of a run."""
    return parameters is not None and not any(finding.blocking for finding in found)
