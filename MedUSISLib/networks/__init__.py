"""The networks of Med-USIS in 2D and 3D - Haar, SPADE, generators, discriminator, segmentator.

Entrance: ``factory.build_network``.
"""
