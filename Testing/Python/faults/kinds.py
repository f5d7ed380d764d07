"""All kinds of input by name."""

from __future__ import annotations

from faults import bundles, cases, dicom, dicom_frames, images, results, settings, study_files, tables
from faults.kind import Kind

_PARTS = (images, dicom, dicom_frames, cases, settings, tables, study_files, results, bundles)
KINDS: dict[str, Kind] = {kind.name: kind for part in _PARTS for kind in part.KINDS}
