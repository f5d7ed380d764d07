"""Cases and caches, sampling, losses, the training loop and its checkpoints.

Entrance: ``run.train``. ``generator_run`` is the loop of a generator, ``generator_state`` what its checkpoints hold,
``generator_step`` one step; ``fine_tuning`` and ``starting_weights`` begin from a finished generator, ``health`` and
``selection`` say when to go back and when to end, ``estimate`` what it will take, ``dataset_data`` reads dataset.json.
``validation`` judges, ``run_log`` says it (``log`` reads it back), ``export`` makes the bundle and its ``model_card``.
"""
