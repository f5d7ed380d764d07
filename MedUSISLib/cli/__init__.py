"""The ``medusis`` command: one file per verb, each light until its verb is called.

Entrance: ``main.main``. Verbs that compute go through ``running.run_and_report``: a child process does the work.
"""
