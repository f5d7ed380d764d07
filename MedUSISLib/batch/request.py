"""What a user asks for when many CTs are to become synthetic MRs; validated before anything is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.batch.part import Part
from MedUSISLib.synthesis.request import DEVICE_PATTERN, SynthesisRequest

SegmentTool = Literal["head-seg", "totalsegmentator"]

SAME_FOR_ALL = ("generator", "labels", "unmapped", "mode", "passes", "noise_samples", "truncation", "seed")
"""Settings of a synthesis that make other voxels: those of a batch stay what they were when it was begun."""
_HOW = ("batch_size", "allow_cpu", "compile_passes")


class BatchRequest(BaseModel):
    """Input, output and settings of a batch; the fields are the options of ``medusis batch``.

    Asking for the same again goes on with what is not done yet. What says how the work is done (workers, retries,
    time-out, device, cluster) may then be another; what makes other voxels may not.

    Examples
    --------
    >>> request = BatchRequest(input="patients", out="results")
    >>> request.passes, request.retries, request.workers
    (8, 2, None)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Path = Field(description="folder (NIfTI tree, BIDS, DICOM tree) or table of cases")
    out: Path = Field(description="folder for the results of all cases; an interrupted batch there goes on")
    generator: str = Field(default="head-t1w", description="id or folder of a generator")
    segment: SegmentTool | None = Field(
        default=None, description="what segments a CT that has no segmentation; without it such a CT is skipped"
    )
    labels: str | None = Field(default=None, description="what label values mean, where the table does not say it")
    unmapped: str | None = Field(default=None, description="class for label values that the mapping does not know")
    mode: Literal["auto", "slice", "three-view", "window"] = Field(default="auto", description="as for one synthesis")
    passes: int = Field(default=8, ge=1, le=1000, description="dropout passes; uncertainty is their variance")
    noise_samples: int = Field(default=0, ge=0, le=1000, description="noise vectors for noise_spread.nii.gz")
    truncation: float = Field(default=2.0, gt=0.0, le=10.0, description="noise is cut to [-truncation, truncation]")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of every case")
    device: str = Field(default="auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")
    batch_size: int | None = Field(default=None, ge=1, le=4096, description="slices or windows at once")
    allow_cpu: bool = Field(default=False, description="go on with the CPU when the accelerator's memory is too small")
    compile_passes: bool = Field(default=False, description="compile what each pass repeats, once in each worker")
    workers: int | None = Field(
        default=None, ge=1, le=256, description="processes, each with the generator in memory; chosen if not given"
    )
    retries: int = Field(default=2, ge=0, le=10, description="how often a case is tried again after a passing trouble")
    case_timeout_s: float | None = Field(
        default=3 * 3600.0, ge=0.0, description="a case on which a worker spends longer has failed; 0: no limit"
    )
    cluster: str | None = Field(default=None, description="ray://..., or local[:n]: workers on a Ray cluster")
    part: str | None = Field(
        default=None, description="'2/8': the second of eight parts of the cases, which other batches do elsewhere"
    )
    retry_failed: bool = Field(default=False, description="try the cases again that failed before")
    resume: bool = Field(default=False, description="set when a background run goes on; a batch does so anyway")
    dry_run: bool = Field(default=False, description="say what would be done and write nothing")
    found: Path | None = Field(
        default=None, description="with dry_run: a file that gets what was found, for this machine only"
    )

    @field_validator("cluster")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        if text is not None:
            ClusterAddress.parse(text)
        return text

    @field_validator("part")
    @classmethod
    def _is_a_part(cls, text: str | None) -> str | None:
        if text is not None:
            Part.parse(text)
        return text

    @property
    def time_limit_s(self) -> float | None:
        """Of a worker's time on a case; None: no limit."""
        return self.case_timeout_s or None

    def settings(self) -> dict[str, Any]:
        """What must stay the same when a batch goes on, JSON-ready."""
        return {name: getattr(self, name) for name in (*SAME_FOR_ALL, "segment", "part")}

    def synthesis(
        self, ct: Path, segmentation: Path, out: Path, labels: str | None = None, ct_series: str | None = None
    ) -> SynthesisRequest:
        """The request of one case; ``labels`` are the case's own, if the table named them."""
        given = {name: getattr(self, name) for name in (*SAME_FOR_ALL, *_HOW, "device")}
        if labels:
            given["labels"] = labels
        return SynthesisRequest(ct=ct, ct_series=ct_series, segmentation=segmentation, out=out, **given)
