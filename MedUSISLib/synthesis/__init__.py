"""One run - from a CT and its segmentation to a synthetic MR, its uncertainty and its quality report.

Entrance: ``engine.synthesize``, and its three stages for those who overlap them; ``loaded_generators`` keeps the
network for the next run. In the order of a run: ``inputs`` (read, check, map the labels), ``plan`` (the generator's
grid and the mode), ``filling`` (unlabelled body by HU), ``modes`` with ``passes``, ``noise``, ``windows`` (the
network at work), ``grid_maps`` (mean, variance, spread), ``second_look`` and ``quality`` (what the MR is worth),
``writing``, ``provenance`` and ``report``. ``result.SynthesisResult`` is what comes out.
"""
