"""What a user asks for when an image is to be segmented; validated before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


class SegmentationRequest(BaseModel):
    """Paths and settings of one segmentation; the fields are the options of ``medusis segment``.

    Exactly one of ``ct`` and ``mr`` is given.

    Examples
    --------
    >>> SegmentationRequest(ct="ct.nii.gz", out="seg.nii.gz").tool
    'head-seg'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ct: Path | None = Field(default=None, description="a CT in HU: NIfTI, NRRD, MHA or a DICOM folder")
    ct_series: str | None = Field(
        default=None, description="SeriesInstanceUID of the CT, when its folder holds several series"
    )
    mr: Path | None = Field(default=None, description="a T1-weighted MR")
    out: Path = Field(description="file for the label map (.nii.gz, .nrrd, .mha), in the input's own grid")
    tool: Literal["head-seg", "totalsegmentator"] = Field(
        default="head-seg", description="the bundled head network, or TotalSegmentator when it is installed"
    )
    device: str = Field(default="auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")
    overwrite: bool = Field(default=False, description="replace an existing output file")

    @model_validator(mode="after")
    def _exactly_one_image(self) -> SegmentationRequest:
        if (self.ct is None) == (self.mr is None):
            raise ValueError("give either a CT or an MR, and not both")
        return self

    @property
    def image(self) -> Path:
        """The file to segment."""
        path = self.ct if self.ct is not None else self.mr
        assert path is not None
        return path
