"""One run - from a CT and its segmentation to a synthetic MR, its uncertainty and its quality report.

Entrance: ``engine.synthesize``.
"""
