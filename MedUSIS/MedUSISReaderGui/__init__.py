"""The window of the module MedUSIS Reader: the panel, the reading room, the administrator's pages.

The steps of a reading and the scene are in ``MedUSISLib.mrml.reading_*``; nothing is imported here that Slicer does not
bring.
"""
