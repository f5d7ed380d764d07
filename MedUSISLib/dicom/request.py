"""What a user asks for when a result is to become DICOM; validated before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ExportDicomRequest(BaseModel):
    """Paths and settings of one export; the fields are the options of ``medusis dicom export``.

    Examples
    --------
    >>> ExportDicomRequest(result="out", source="ct", out="dicom").enhanced
    False
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    result: Path = Field(description="folder of a result, as medusis synthesize writes it")
    source: Path = Field(description="folder of the DICOM series that the result was made from")
    series_uid: str | None = Field(default=None, description="which series, when the folder holds several")
    out: Path = Field(description="folder for the DICOM files")
    enhanced: bool = Field(default=False, description="one multi-frame file instead of one file per slice")
    deidentify: bool = Field(default=False, description="leave out who the patient is, see docs/dicom.md")
    overwrite: bool = Field(default=False, description="replace what is in the output folder")
