"""Reader studies: protocol, blinded trials, leak check, reading packages, answers, marks and lesions.

The way through: ``protocol.load_protocol`` -> ``building.new_study`` (a table of cases becomes blinded images and a
key) -> ``leaks.check_study`` -> ``package.write_package`` (what one reader gets; never the key) ->
``session.ReadingSession`` with an ``answers.AnswerStore`` -> ``merging.merge_answers`` -> ``readings.readings``
(answers beside the truth) -> ``statistics``. What a study needs and why: docs/studies.md.
"""
