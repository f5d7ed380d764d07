"""All kinds of input by name."""

from __future__ import annotations

from faults import dicom, images, settings
from faults.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for part in (images, dicom, settings) for kind in part.KINDS}
