"""What a user asks for when a CT is to become a synthetic MR; validated before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"
"""Devices that a request may name; the contract of ``--device``."""

_NOT_SETTINGS = {"ct", "ct_series", "segmentation", "out", "segmentation_was_resampled", "first_voxel"}


class SynthesisRequest(BaseModel):
    """Paths and settings of one synthesis; the fields are the options of ``medusis synthesize``.

    The request holds paths, so it is never written into a report: ``provenance.json`` keeps ``settings()`` and the
    hashes of the inputs instead.

    Examples
    --------
    >>> request = SynthesisRequest(ct="ct.nii.gz", segmentation="seg.nii.gz", generator="head-t1w", out="out")
    >>> request.passes, request.mode
    (8, 'auto')
    >>> "ct" in request.settings()
    False
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ct: Path = Field(description="the CT in HU: NIfTI, NRRD, MHA or a DICOM folder")
    ct_series: str | None = Field(
        default=None, description="SeriesInstanceUID of the CT, when its folder holds several series"
    )
    segmentation: Path = Field(
        description="label map of the CT, folder of masks (one file a structure), DICOM SEG or RTSTRUCT; another grid "
        "is resampled with nearest"
    )
    labels: str | None = Field(
        default=None,
        description="what the label values mean: a mapping's name or a CSV file; guessed from the values when absent",
    )
    generator: str = Field(default="head-t1w", description="id or folder of a generator")
    out: Path = Field(description="folder for the results")
    mode: Literal["auto", "slice", "three-view", "window"] = Field(
        default="auto",
        description="slices along the generator's axis, mean of three views, or overlapping windows; auto: windows for "
        "a 3D generator, slices for the others",
    )
    passes: int = Field(default=8, ge=1, le=1000, description="dropout passes; uncertainty is their variance")
    noise_samples: int = Field(
        default=0, ge=0, le=1000, description="noise vectors for noise_spread.nii.gz; 0 writes no such map"
    )
    truncation: float = Field(
        default=2.0, gt=0.0, le=10.0, description="noise is drawn from N(0, 1) cut to [-truncation, truncation]"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="same inputs, seed and machine give the same voxels")
    device: str = Field(default="auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")
    unmapped: str | None = Field(
        default=None, description="class for label values that the mapping does not know; without it they are an error"
    )
    batch_size: int | None = Field(default=None, ge=1, le=4096, description="slices or windows at once")
    segmentation_was_resampled: bool = Field(
        default=False,
        description="the caller already resampled the segmentation onto the CT's grid; the report then says so",
    )
    first_voxel: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = Field(
        default=None,
        description="voxel (i, j, k) of the CT that somebody looks at: slices through it come first; changes no result",
    )
    compile_passes: bool = Field(
        default=False,
        description="compile what each pass repeats (torch.compile, CUDA graphs on a GPU): it takes a while and needs "
        "a compiler; without one a warning says so",
    )
    overwrite: bool = Field(default=False, description="replace what is in the output folder")
    allow_cpu: bool = Field(
        default=False,
        description="go on with the CPU when the memory of the accelerator named by device does not suffice; "
        "with device auto that is always allowed",
    )

    def settings(self) -> dict[str, object]:
        """Everything but the paths and facts about the inputs, JSON-ready, for provenance.

        A generator or label table that was given as a path is named by its last part only when it holds no
        separator; otherwise it says ``"file"``.
        """
        values = self.model_dump(mode="json", exclude=_NOT_SETTINGS)
        for name in ("generator", "labels"):
            value = values[name]
            if isinstance(value, str) and (Path(value).name != value or Path(value).suffix):
                values[name] = "file"
        return values
