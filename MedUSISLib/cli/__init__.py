"""The medusis command, one file per verb.

Entrance: ``main.app``.
"""
