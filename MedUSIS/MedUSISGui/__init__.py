"""The window of the module MedUSIS: one small class for each part of the panel.

Entrance: ``panel.Panel``, which makes the parts and connects them with each other, with the parameter node and with the
logic. Each part gets the widgets of ``Resources/UI/MedUSIS.ui`` as ``ui`` and what it needs from outside as arguments,
so that tests can hand in their own. Everything here uses the names of PythonQt: properties are attributes.
"""
