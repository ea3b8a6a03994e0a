"""The account by which talking and work take turns: arithmetic over a clock that the test sets."""

import pytest

from tuning.engine.speak import talk_share
from tuning.engine.speak.talk_share import TalkAccount


class Play:
    """A job of steps of `step` seconds, beside which answers are given: `token` seconds for each token, and `reading` before the first."""

    def __init__(self, step: float, token: float = 0.05, reading: float = 0.0, lost: bool = False) -> None:
        self.step, self.token, self.reading, self.lost = step, token, reading, lost
        self.now = self.talked = 0.0
        self.stretches: list[float] = []
        self.account = TalkAccount(lambda: self.now)

    def work(self) -> None:
        self.now += self.step

    def speak(self, begun: bool, tokens: float = float("inf")) -> int:
        """One turn, where it is due: how many tokens were said in it, `tokens` at most."""
        if not self.account.due(begun):
            return 0
        turn, since, said = self.account.take(begun), self.now, 0
        self.now += 0.0 if begun and not self.lost else self.reading
        while True:
            self.now, said = self.now + self.token, said + 1
            if turn.enough() or said >= tokens:
                break
        turn.end()
        self.talked += self.now - since
        self.stretches.append(self.now - since)
        return said


@pytest.mark.parametrize("step", [0.02, 0.3, 2.0, 20.0])
@pytest.mark.parametrize("token", [0.01, 0.3])
def test_of_a_run_that_somebody_talks_through_talking_has_a_quarter(step: float, token: float) -> None:
    play, begun = Play(step, token), False
    while play.now < 2000:
        play.work()
        begun = bool(play.speak(begun)) or begun
        assert play.talked <= talk_share.SHARE * play.now + 2 * token
    assert play.talked >= 0.8 * talk_share.SHARE * play.now, "and what is not forbidden is given"


def test_first_words_are_given_at_the_next_yield_point_and_paid_for_later() -> None:
    play = Play(step=1.0, reading=4.0)
    assert play.speak(begun=False) == 1, "at the very beginning"
    waited = 0
    while not play.speak(begun=True):
        play.work()
        waited += 1
    assert waited == pytest.approx((4.05 + talk_share.SLICE) * 3, abs=1)
    assert play.talked <= talk_share.SHARE * play.now + 4.05


def test_whoever_asks_and_asks_has_no_more_than_the_debt_ahead() -> None:
    play = Play(step=0.5, reading=3.0)
    for _ in range(4000):
        play.work()
        for _ in range(5):
            play.speak(begun=False, tokens=1)
    assert play.talked <= talk_share.SHARE * play.now + talk_share.DEBT + play.reading + play.token


def test_a_quiet_hour_saves_up_no_more_than_one_stretch() -> None:
    play = Play(step=3600.0)
    play.work()
    play.speak(begun=False)
    assert play.stretches == [pytest.approx(talk_share.MOST, abs=2 * play.token)]


def test_where_all_was_let_go_reading_it_again_is_not_the_whole_turn() -> None:
    play = Play(step=0.2, token=0.1, reading=2.0, lost=True)
    said = []
    for _ in range(2000):
        play.work()
        said.append(play.speak(begun=True))
    lengths = [count for count in said if count]
    assert lengths and min(lengths) * play.token >= play.reading
    assert play.talked <= talk_share.SHARE * play.now + talk_share.AGAIN * (play.reading + play.token) + play.token
