"""All kinds of input by name."""

from __future__ import annotations

from faults import dicom, images
from faults.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for part in (images, dicom) for kind in part.KINDS}
