"""All kinds of input by name."""

from __future__ import annotations

from faults import images
from faults.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for part in (images,) for kind in part.KINDS}
