"""Measures of what a synthetic MR is worth - overlap, surface distance, stripes, class means, spectrum.

Entrance: ``the module named after the measure``.
"""
