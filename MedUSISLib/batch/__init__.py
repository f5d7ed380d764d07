"""Many CTs, one after another or side by side, with nothing lost: what `medusis batch` does.

``find_cases`` says what there is to do, ``manifest`` remembers what became of it, ``runner.run_batch`` does it: it
gives cases to a ``pool.WorkerPool`` (child processes of this machine, or a cluster), in each of which a
``pipeline.CasePipeline`` reads one case while it computes another and writes a third. Nothing here imports torch
itself: the synthesis does, in the workers.
"""
