"""A segmentation where there is none: the bundled `head-seg` network with HU rules, or TotalSegmentator for the torso.

Entrance: ``segment.segment`` (files) and ``segment.segment_volume`` (arrays).
"""
