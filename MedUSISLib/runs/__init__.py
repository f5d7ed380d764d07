"""Jobs that outlive the program that started them: trainings that go on when Slicer or the terminal is closed.

Entrance: ``store.RunStore`` (submit a job, list the runs) and ``run.Run`` (its status; pause, resume, finish, stop). A
run is a folder; one process for all of them (`worker`, started by `detach`) takes the queued ones one after another and
has each done by an ordinary job's child process. ``record.py`` and ``status.py`` say what is known of a run,
``claim.py`` who may work on it. No torch, no Qt.
"""
