"""What a trained network is on disk (a bundle), the catalogue of them, and verified installation.

Entrance: ``bundle.load_bundle``.
"""
