"""The statistics of reader studies: multi-reader multi-case analysis, visual Turing tests, agreement, planning.

Entrances: ``mrmc.analyse_mrmc`` for ratings of several readers on several cases, ``turing.analyse_turing`` for real
against synthetic, ``agreement_table`` for agreement, ``planning`` for the number of readers and cases.
"""
