"""MedUSIS: synthetic MR from a CT and its segmentation, with maps that say where not to trust it.

Start reading in ``synthesis`` (what one run does), ``generators`` (what a trained network is on disk) and ``jobs``
(how Slicer, the command line and a cluster start the same work). Importing this package imports nothing heavy.
"""

__version__ = "0.1.0"
