"""Parts of ``demo_study.py``: cases from public data, and simulated readers."""
