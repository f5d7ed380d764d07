"""Faults of what a user can hand in: how to make them, and how to tell whether MedUSIS took them well.

A `Kind` (kind.py) says for one kind of input how a sound one is made, spoiled, read and checked; `kinds.py` lists them
all. `judge` (verdict.py) tries one spoiled input. `python -m faults` (`make faults`) tries many of each kind in child
processes; the tests `test_faults_*.py` try a few.
"""
