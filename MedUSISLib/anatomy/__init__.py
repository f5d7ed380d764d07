"""Label schemas (what a class index means) and mappings from other tools' label values into them.

``schema.load_schema("head")`` gives the classes; ``mapping.load_mapping("totalsegmentator", schema).apply(array)``
turns a label map into class indices. ``combining`` puts several label maps together, ``merging`` coarsens classes,
``guessing`` tells which tool wrote a map, ``segment_names`` maps by name, ``color_table`` writes colors for Slicer.
The data (JSON and CSV) lies in Resources/Schemas; docs/how-to/add-a-label-schema.md says how to add to it.
"""
