"""Whose turn it is: fair between owners, steady for everybody, and known to all who wait."""

import itertools
import random

import pytest

from tuning.runs.queue import MOST_RESTARTS, Place, Waiting, order, places, restarts


def waiting(names: str, first: float = 1.0) -> list[Waiting]:
    """Runs in the order in which they came, `a1 b1` and so on; the letter is the owner."""
    return [Waiting(name, name[0], first + number, 60.0) for number, name in enumerate(names.split())]


def names(found: list[Waiting]) -> str:
    return " ".join(one.run for one in found)


@pytest.mark.parametrize(
    ("came", "served", "turns"),
    [
        ("a1 a2 a3", {}, "a1 a2 a3"),
        ("a1 a2 a3 b1", {}, "a1 b1 a2 a3"),
        ("a2 a3 b1", {"a": 5.0}, "b1 a2 a3"),  # the second owner's first goes before the first owner's third, and the second
        ("a1 a2 b1 b2 c1", {}, "a1 b1 c1 a2 b2"),
        ("a1 b1 c1", {"a": 9.0, "b": 7.0, "c": 8.0}, "b1 c1 a1"),
        ("", {"a": 1.0}, ""),
    ],
)
def test_round_after_round_each_owner_has_a_turn(came: str, served: dict[str, float], turns: str) -> None:
    assert names(order(waiting(came), served)) == turns


def test_who_waits_keeps_the_order_that_was_shown() -> None:
    dice = random.Random(7)
    for _ in range(200):
        came = [
            Waiting(f"{owner}{n}", owner, dice.random(), 1.0) for owner in "abcd"[: dice.randint(1, 4)] for n in range(dice.randint(1, 5))
        ]
        served = {owner: -dice.random() for owner in "abcd" if dice.random() < 0.5}
        shown = order(came, served)
        for now in itertools.count(1):
            if len(shown) < 2:
                break
            served[shown[0].owner] = float(now)  # the first one begins
            left = shown[1:]
            dice.shuffle(came)
            assert order([one for one in came if one in left], served) == left
            shown = left


def test_nobody_waits_longer_than_a_round_for_the_next_turn() -> None:
    turns = order(waiting("a1 a2 a3 a4 a5 a6 b1 b2 c1 a7 c2"), {})
    assert names(turns) == "a1 b1 c1 a2 b2 c2 a3 a4 a5 a6 a7"


def test_the_same_moment_is_no_toss_up() -> None:
    same = [Waiting(name, "a", 1.0, 1.0) for name in ("c", "a", "b")]
    assert names(order(same, {})) == names(order(same[::-1], {})) == "a b c"


def test_place_and_wait() -> None:
    turns = [Waiting("x", "a", 1.0, 60.0), Waiting("y", "a", 2.0, 5.0), Waiting("z", "a", 3.0, 1.0)]
    assert places(turns, 30.0) == {"x": Place(1, 30.0), "y": Place(2, 90.0), "z": Place(3, 95.0)}
    assert places([], 30.0) == {}


def test_a_fault_at_the_same_step_again_and_again_is_not_tried_for_ever() -> None:
    before: dict[str, int] = {}
    tried = []
    for step in (7, 7, 7):
        count = restarts(before, step)
        tried.append(count)
        before = {"step": step, "count": count or 0}
    assert tried == [1, MOST_RESTARTS, None]
    assert restarts({"step": 7, "count": 2}, 5) is None  # it did not even come so far again
    assert restarts({"step": 7, "count": 2}, 8) == 1
