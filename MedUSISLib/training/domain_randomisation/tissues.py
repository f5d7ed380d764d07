"""The structures of a whole-head label map: their ids, the head class they belong to, and how bright they may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """One structure that gets an intensity of its own when an image is made up.

    Attributes
    ----------
    name : str
    head_class : str
        Class of the ``head`` schema that a segmentator shall answer with.
    ids : tuple of int
        FreeSurfer / SynthSeg ids, with the extracerebral 500+ ids of the CHARM atlas.
    t1 : (float, float)
        Mean and standard deviation over people of the T1-weighted intensity, white matter = 0.7.
    hu : (float, float)
        Range of the mean CT number in Hounsfield units.
    texture_hu : float
        Standard deviation inside the structure in HU, beyond the noise of the scanner.
    """

    name: str
    head_class: str
    ids: tuple[int, ...]
    t1: tuple[float, float]
    hu: tuple[float, float]
    texture_hu: float = 2.0


#: Index in this table is the value stored in the prepared volumes. The first two are made by ``volumes.prepare``:
#: outside air has id 0 and enclosed air is told apart from it there. ``fat`` and ``muscle`` share id 507, which no
#: public label map divides; ``appearance`` mixes them by a smooth random field.
TISSUES: tuple[Tissue, ...] = (
    Tissue("outside", "background", (0,), (0.01, 0.01), (-1000, -990), 2),
    Tissue("air", "air", (), (0.02, 0.015), (-1000, -850), 30),
    Tissue("skin", "skin", (511,), (0.62, 0.18), (-20, 70), 20),
    Tissue("other_soft", "soft_tissue", (507,), (0.42, 0.08), (35, 75), 10),
    Tissue("mucosa", "soft_tissue", (509,), (0.50, 0.12), (10, 60), 15),
    Tissue("eye_muscle", "soft_tissue", (508, 530), (0.45, 0.10), (25, 60), 6),
    Tissue("cortical_bone", "cortical_bone", (515,), (0.12, 0.05), (650, 1700), 180),
    Tissue("cancellous_bone", "cancellous_bone", (516,), (0.45, 0.18), (180, 800), 140),
    Tissue("csf", "csf", (24, 72), (0.17, 0.05), (-2, 17), 3),
    Tissue("ventricles", "csf", (4, 5, 14, 15, 43, 44), (0.14, 0.04), (-2, 14), 2),
    Tissue("choroid_plexus", "csf", (31, 63, 136, 137, 163, 164), (0.35, 0.10), (20, 90), 15),
    Tissue("cortex", "cortex", (3, 42), (0.50, 0.04), (32, 42), 2),
    Tissue("white_matter", "white_matter", (2, 25, 41, 57, 77, 78, 79, 85), (0.70, 0.02), (24, 33), 1.5),
    Tissue("caudate_putamen", "deep_grey", (11, 12, 26, 50, 51, 58), (0.54, 0.04), (33, 43), 2),
    Tissue("pallidum_thalamus", "deep_grey", (10, 13, 49, 52), (0.60, 0.04), (31, 42), 2),
    Tissue("hippocampus_amygdala", "deep_grey", (17, 18, 53, 54), (0.49, 0.04), (30, 40), 2),
    Tissue("cerebellar_white", "cerebellum", (7, 46), (0.68, 0.03), (25, 34), 2),
    Tissue("cerebellar_cortex", "cerebellum", (8, 47), (0.50, 0.04), (30, 42), 3),
    Tissue("brainstem", "brainstem", (16, 28, 60), (0.64, 0.04), (24, 35), 2),
    Tissue("spinal_cord", "brainstem", (512,), (0.58, 0.06), (25, 40), 3),
    Tissue("eyes", "eyes", (506,), (0.20, 0.06), (0, 25), 4),
    Tissue("vessels", "vessels", (502, 514, 30, 62), (0.55, 0.35), (38, 70), 5),
)

TISSUE_INDEX = {tissue.name: index for index, tissue in enumerate(TISSUES)}
FAT_T1 = (0.95, 0.14)
FAT_HU = (-115.0, -65.0)
