"""A hospital's own folders as training data: what is CT, MR and labels, whose it is, and what is wrong with it.

``medusis dataset scan`` (``scan.scan_dataset``) reads the folders and writes ``dataset.json``, which a person may edit,
and ``dataset.html`` to look at. ``model.load_dataset`` is the entrance for whoever trains on it. docs/dataset.md tells
how files are recognised, grouped and paired.
"""
