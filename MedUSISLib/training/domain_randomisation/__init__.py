"""Images made up from label maps alone, so that a segmentator learns anatomy and not one scanner's contrast.

The idea is SynthSeg's (Billot et al., Medical Image Analysis 2023): draw a random intensity for every structure, a
bias field, noise and blur, deform, and let the network find the labels again. Ours draws CT-like, T1-like and wholly
random contrasts. Entrance: ``sampler.SliceSampler``.
"""
