"""Orders of reading: reproducible, balanced, counterbalanced, with gaps and repeats."""

from __future__ import annotations

from collections import Counter

import pytest

from MedUSISLib.study.ordering import Item, Planned, reader_order
from MedUSISLib.study.protocol import Protocol, Randomisation, lesion_reading, visual_turing


def cases(count: int, arms: tuple[int, ...] = (0, 1), training: int = 0) -> list[Item]:
    return [
        Item(f"C{n:03}", arms, stratum="ab"[n // 2 % 2], status=bool(n % 2), training=n < training)
        for n in range(count)
    ]


def turing(**randomisation: object) -> Protocol:
    return visual_turing("s", ("R1", "R2"), randomisation=Randomisation.model_validate(randomisation))


def order_of(protocol: Protocol, items: list[Item], reader: int = 0, secret: str = "x") -> list[Planned]:
    return reader_order(items, protocol, reader, secret)


def test_the_same_seed_secret_and_reader_give_the_same_order() -> None:
    items, protocol = cases(20), turing()
    assert order_of(protocol, items) == order_of(protocol, items)
    assert order_of(protocol, items) != order_of(protocol, items, reader=1)
    assert order_of(protocol, items) != order_of(protocol, items, secret="y")
    assert order_of(protocol, items) != order_of(turing(seed=1), items)


def test_every_case_is_read_once_in_every_arm() -> None:
    order = order_of(turing(), cases(20))
    assert Counter((t.case, t.arms) for t in order) == Counter((f"C{n:03}", (a,)) for n in range(20) for a in (0, 1))


@pytest.mark.parametrize("reader", range(4))
def test_two_trials_of_a_case_are_far_apart_and_runs_are_short(reader: int) -> None:
    order = order_of(turing(gap=6, longest_run=3, repeats=6), cases(20), reader)
    last: dict[str, int] = {}
    for place, trial in enumerate(order):
        assert place - last.get(trial.case, -99) > 6
        last[trial.case] = place
    runs = "".join(str(t.arms[0]) for t in order)
    assert "0000" not in runs and "1111" not in runs


@pytest.mark.parametrize("seed", range(5))
def test_blocks_hold_arms_status_and_strata_in_proportion(seed: int) -> None:
    items = cases(32)
    status = {i.case: i.status for i in items}
    order = order_of(turing(seed=seed, block_size=16, gap=0, longest_run=16), items)
    for start in range(0, 64, 16):
        block = order[start : start + 16]
        assert abs(sum(t.arms == (0,) for t in block) - 8) <= 3
        assert abs(sum(bool(status[t.case]) for t in block) - 8) <= 3


def test_repeats_point_at_their_first_showing_and_come_later() -> None:
    order = order_of(turing(repeats=5, sessions=2), cases(16))
    again = [(n, t) for n, t in enumerate(order) if t.repeats is not None]
    assert len(again) == 5
    for place, trial in again:
        first = order[trial.repeats]  # type: ignore[index]
        assert first.repeats is None and (first.case, first.arms) == (trial.case, trial.arms)
        assert place > trial.repeats and first.session == trial.session  # type: ignore[operator]
    assert {t.arms for _, t in again} == {(0,), (1,)}


def test_training_comes_first_and_is_not_repeated() -> None:
    order = order_of(turing(repeats=4, sessions=2), cases(12, training=3))
    assert [t.training for t in order] == [True] * 6 + [False] * (18 + 4)
    assert all(t.session == 1 for t in order[:6])


def test_arms_of_a_case_are_in_different_sessions_and_balanced_between_readers() -> None:
    protocol = turing(sessions=2, washout_days=7)
    first, second = (order_of(protocol, cases(20), reader) for reader in (0, 1))
    for order in (first, second):
        assert [t.session for t in order] == [1] * 20 + [2] * 20
        assert Counter(t.arms for t in order if t.session == 1) == {(0,): 10, (1,): 10}
        assert len({(t.case, t.session) for t in order}) == 40
    begun = [{t.case for t in order if t.session == 1 and t.arms == (0,)} for order in (first, second)]
    assert begun[0] | begun[1] == {f"C{n:03}" for n in range(20)} and not begun[0] & begun[1]


def test_one_arm_per_case_is_swapped_by_the_next_reader() -> None:
    first, second = (order_of(turing(one_arm_per_case=True), cases(20), reader) for reader in (0, 1))
    assert len(first) == len(second) == 20
    one, two = ({t.case: t.arms for t in order} for order in (first, second))
    assert all(one[case] != two[case] for case in one)
    assert Counter(one.values()) == {(0,): 10, (1,): 10}


def test_a_crossover_reads_one_arm_after_the_other_and_readers_begin_differently() -> None:
    protocol = lesion_reading("s", ("R1", "R2"), design="crossover")
    first, second = (order_of(protocol, cases(10), reader) for reader in (0, 1))
    assert [t.arms[0] for t in first] == [0] * 10 + [1] * 10
    assert [t.arms[0] for t in second] == [1] * 10 + [0] * 10
    assert [t.session for t in first] == [1] * 10 + [2] * 10
    assert [t.case for t in first[:10]] != [t.case for t in first[10:]]


def test_sequential_reading_shows_all_arms_of_a_case_in_one_trial() -> None:
    order = order_of(lesion_reading("s", design="sequential"), cases(10))
    assert len(order) == 10 and all(t.arms == (0, 1) for t in order)


@pytest.mark.parametrize("count", [10, 11])
def test_in_a_forced_choice_the_real_one_is_left_in_half_of_the_trials(count: int) -> None:
    protocol = visual_turing("s", forced_choice=True, randomisation=Randomisation(repeats=3))
    order = order_of(protocol, cases(count))
    originals = [t for t in order if t.repeats is None]
    assert sum(t.flipped for t in originals) in (count // 2, count - count // 2)
    assert len(order) == count + 3


def test_a_study_too_small_for_its_rules_still_gets_an_order() -> None:
    assert len(order_of(turing(gap=50, longest_run=1, repeats=1), cases(2))) == 5
    assert len(order_of(turing(sessions=3), cases(1))) == 2
