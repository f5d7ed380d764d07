"""Everyday names of anatomy that no label table holds, and the classes that they may mean.

Used for suggestions that a person sees and can change; the classes stand in order of preference, the first that a
schema has is taken. A name that could be two things in one schema is not here.
"""

from __future__ import annotations

COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "bone": ("cortical_bone",),
    "skeleton": ("cortical_bone",),
    "tooth": ("cortical_bone",),
    "jaw": ("cortical_bone",),
    "vertebra": ("vertebrae", "cancellous_bone"),
    "spine": ("vertebrae", "cancellous_bone"),
    "rib": ("ribs", "cortical_bone"),
    "clavicle": ("clavicula",),
    "hip_bone": ("hips",),
    "pelvis": ("hips",),
    "bone_marrow": ("cancellous_bone",),
    "marrow": ("cancellous_bone",),
    "spongy_bone": ("cancellous_bone",),
    "muscle": ("skeletal_muscle", "soft_tissue"),
    "tongue": ("soft_tissue", "skeletal_muscle"),
    "scalp": ("skin",),
    "adipose_tissue": ("fat",),
    "sinus": ("air",),
    "airway": ("air", "trachea"),
    "air_cavity": ("air",),
    "ventricle": ("csf",),
    "cerebral_ventricle": ("csf",),
    "liquor": ("csf",),
    "grey_matter": ("cortex", "brain"),
    "cerebral_grey_matter": ("cortex", "brain"),
    "cortical_grey_matter": ("cortex", "brain"),
    "basal_ganglia": ("deep_grey", "brain"),
    "deep_grey_matter": ("deep_grey", "brain"),
    "subcortical_grey_matter": ("deep_grey", "brain"),
    "pons": ("brainstem", "brain"),
    "medulla": ("brainstem", "brain"),
    "medulla_oblongata": ("brainstem", "brain"),
    "midbrain": ("brainstem", "brain"),
    "cerebrum": ("brain",),
    "whole_brain": ("brain",),
    "eyeball": ("eyes",),
    "globe": ("eyes",),
    "orbit": ("eyes",),
    "artery": ("vessels",),
    "vein": ("vessels",),
    "blood_vessel": ("vessels",),
    "bladder": ("urinary_bladder",),
    "bowel": ("small_bowel",),
    "large_bowel": ("colon",),
    "oesophagus": ("esophagus",),
    "windpipe": ("trachea",),
    "myocardium": ("heart",),
    "psoas": ("iliopsoas",),
    "air_outside": ("background",),
    "outside": ("background",),
}

PREFIXES: dict[str, tuple[str, ...]] = {
    "ctx_": ("cortex", "brain"),
    "wm_": ("white_matter", "brain"),
}
"""Beginnings of the region names of FreeSurfer's parcellations."""
