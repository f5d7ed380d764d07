"""Label schemas (what a class index means) and mappings from other tools' label values into them.

Entrance: ``schema.load_schema and mapping.load_mapping``.
"""
