"""The process boundary - job specification, events, the runner and the launcher.

Entrance: ``launcher.Launcher and python -m MedUSISLib.jobs run JOB.json``.
"""
