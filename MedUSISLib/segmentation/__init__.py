"""Segmentation of head CT and T1: the bundled network ``head-seg`` with HU rules, and TotalSegmentator if installed.

Entrance: ``MedUSISLib.segmentation.segment.segment(request, progress)``; ``request.py`` says what can be asked for.
"""
