"""A result as DICOM: derived objects in the CT's study that no archive can mistake for an acquisition.

Entrance: ``export.export_dicom`` (job kind "export-dicom", ``medusis dicom export``). A closed list of the CT's
attributes (``source``, ``attributes``) goes into every file; ``mr_slices`` or ``mr_frames`` writes the MR, ``maps`` the
variances as parametric maps, ``segments`` the label maps. Reading DICOM is in ``imaging`` (``dicom_*``).
"""
