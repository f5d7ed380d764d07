"""Answers in the file formats of the programs that statisticians use; ``export.export_study`` is the entrance.

Files for other programs hold what the analysis over readers is made of (``rated.Rated``); the CSV tables hold all.
"""
