"""A trained generator on disk: what it is, where it lies, whether it is intact.

A generator is a *bundle*, a folder with ``manifest.json``, safetensors weights, a model card and MONAI's bundle files.
Entrances: ``bundle.load_bundle`` (verified reading), ``writing.write_bundle`` (what training calls),
``catalogue.available_generators`` (which ones there are) and ``install.install_generator`` (folder, zip or URL).
Nothing is ever unpickled, and every file's SHA-256 is checked before use.
"""
