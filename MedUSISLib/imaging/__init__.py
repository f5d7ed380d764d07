"""Volumes and their geometry - reading, conforming to a generator's grid, restoring, writing.

Entrance: ``reading.read_volume and conform.conform``.
"""
