"""The losses of Med-USIS, one per file (thesis eq. 3.1 - 3.7; book chapter 9). All take images in [-1, 1].

Entrance: import the one you need, e.g. ``from MedUSISLib.training.losses.segmentation import segmentation_loss``.
"""
