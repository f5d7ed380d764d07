"""Cases and caches, sampling, losses, the training loop and its checkpoints.

Entrance: ``run.train``.
"""
