"""The process boundary: every computation runs in a child process that this package starts, hears and ends.

Entrances: ``launcher.Launcher`` (start a job, receive its events, cancel it) and, in the child,
``python -m MedUSISLib.jobs run JOB.json``. A child that stays for the next job is started with ``serve`` and owned by
``warm_worker.WarmWorker``. ``kinds.py`` lists what a job can be, ``events.py`` what it says, ``failures.py`` which
error becomes which exit code. Nothing here imports torch.
"""
