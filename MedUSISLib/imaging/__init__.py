"""Volumes and their geometry: reading, conforming to a generator's grid, restoring, writing.

Arrays are indexed [k, j, i]; world coordinates are LPS in millimetres; a volume never travels without its geometry.
The way through: ``reading.read_volume`` -> ``modality.check_is_ct`` -> ``body.body_mask`` -> ``grid.plan_grid`` ->
``conform.conform`` -> (a generator) -> ``conform.restore`` -> ``writing.write_volume``.
"""
