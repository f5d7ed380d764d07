"""The scene of 3D Slicer: the only package that may import ``slicer`` and ``vtk``; it knows no Qt.

Ways in: ``synthesis_logic`` (run a synthesis on nodes), ``preparation`` (nodes to files), ``results`` (files to nodes),
``review_layout`` and ``overlays`` (look at them), ``installation`` (the packages that Slicer does not bring). What is
not part of Slicer (pydantic, psutil, torch ...) is imported inside functions only, because the module must open where
they are missing, and ask for them. World coordinates are RAS here and only here.
"""
