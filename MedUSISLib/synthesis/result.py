"""What one synthesis run gives back: every map in the CT's own grid, and how it came to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema
    from MedUSISLib.generators.manifest import Manifest
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.synthesis.request import SynthesisRequest
    from MedUSISLib.synthesis.second_look import SecondLook

SYNTHETIC_NOTICE = "SYNTHETIC - not for diagnosis"


class MaskConsistency(IntEnum):
    """Values of the mask consistency map: where the body of the MR and of the input agree."""

    OUTSIDE = 0
    AGREE = 1
    TISSUE_MISSING = 2
    TISSUE_TOO_MUCH = 3


@dataclass(frozen=True)
class SynthesisWarning:
    """Something the user should know that did not stop the run; no file names."""

    code: str
    message: str


@dataclass
class SynthesisResult:
    """The maps of one run, all ``[k, j, i]`` on exactly the CT's grid, with their provenance.

    At 512x512x400 the arrays together take 1.4 GB. Whoever reads them works slice by slice or on a coarser grid and
    makes no full-size float64 copy: the whole run promises a peak below 3 GB.

    Attributes
    ----------
    mr : Volume
        float32, in the unit of ``manifest.intensity`` (head-t1w: 0..1.2, white matter 0.7); 0 outside the anatomy.
    uncertainty : Volume
        float32, variance over the dropout passes in the square of that unit (eq. 9.10); zeros with a single pass.
    noise_spread : Volume or None
        float32, variance over noise samples, when ``--noise-samples`` asked for it.
    mask_consistency : Volume
        uint8, values of ``MaskConsistency``. The body of the labels is {1, 2}, the body of the MR is {1, 3}.
    labels : Volume
        uint8 class indices of ``schema``: what the generator was given, filled voxels included.
    ct : Volume
        int16 HU, couch still in it.
    body : Volume
        bool, the body found in the CT.
    schema : LabelSchema
    manifest : Manifest
        Of the generator that was used.
    request : SynthesisRequest
        The settings, paths included: never copy it into a report as a whole.
    timings : dict of str to float
        Seconds per stage.
    peak_memory_bytes : int
        Highest resident memory of the process up to the end of the synthesis.
    warnings : list of SynthesisWarning
    provenance : dict
        Written as provenance.json.
    quality : dict
        Written as quality.json; filled by ``quality.quality_report``.
    second_look : SecondLook or None
        The MR segmented again, for ``quality``; None when nobody asked or no network fits.
    statistics : dict
        What only the engine knows and the report shows: ``unlabelled_body_fraction``, ``filled_body_fraction``,
        ``segmentation_coverage``, ``segmentation_was_resampled``, ``seam_index``, ``global_uncertainty``, ``review``.
    """

    mr: Volume
    uncertainty: Volume
    noise_spread: Volume | None
    mask_consistency: Volume
    labels: Volume
    ct: Volume
    body: Volume
    schema: LabelSchema
    manifest: Manifest
    request: SynthesisRequest
    timings: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    warnings: list[SynthesisWarning] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    second_look: SecondLook | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
