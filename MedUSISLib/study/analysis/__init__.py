"""From answers to results: ``analyse.analyse`` puts the statistics of a study together, ``results`` is what comes out.

The formulas live in ``study.statistics``; here is only which of them a study gets, from which answers, and what is said
where one of them cannot be had.
"""
