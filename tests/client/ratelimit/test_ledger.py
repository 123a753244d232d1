# SPDX-License-Identifier: Apache-2.0
"""The algorithm in simulated time, judged by the server models that the emulator counts with."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.ledger import Ledger
from airflow_provider_studio.emulator.limits import MODELS, ServerLimit


@dataclass(order=True)
class Wake:
    at: float
    order: int
    who: int = field(compare=False)
    number: int | None = field(compare=False)


class Simulation:
    """Callers that ask, sleep, wake late, ask to be stamped, and whose requests reach a server with jitter."""

    def __init__(self, budget: Budget, server: ServerLimit, now: list[float], seed: int) -> None:
        self.budget, self.server, self.now = budget, server, now
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.refused = 0
        self.sent: list[tuple[float, int]] = []
        self.longest_wait: dict[int, float] = {}

    def run(self, callers: int, *, until: float, jitter: float, lateness: float) -> None:
        events = sorted(Wake(self.random.random(), who, who, None) for who in range(callers))
        arrivals: list[tuple[float, int]] = []
        asked: dict[int, float] = {}
        order = callers
        while events and events[0].at < until:
            wake = heapq.heappop(events)
            self.now[0] = wake.at
            while arrivals and arrivals[0][0] <= wake.at:
                self.arrive(heapq.heappop(arrivals))
            order += 1
            if wake.number is None:
                asked[wake.who] = wake.at
                number, wait = self.ledger.reserve(wake.at, self.budget, Priority.CRAWL)
            else:
                number, wait = wake.number, self.ledger.stamp(wake.at, self.budget, wake.number)
            if wait > 0:
                late = self.random.random() * lateness
                heapq.heappush(events, Wake(wake.at + wait + late, order, wake.who, number))
                continue
            waited = wake.at - asked[wake.who]
            self.longest_wait[wake.who] = max(waited, self.longest_wait.get(wake.who, 0.0))
            self.sent.append((wake.at, wake.who))
            heapq.heappush(arrivals, (wake.at + self.random.random() * jitter, order))
            heapq.heappush(events, Wake(wake.at + 0.05, order, wake.who, None))
        while arrivals:
            self.arrive(heapq.heappop(arrivals))

    def arrive(self, arrival: tuple[float, int]) -> None:
        self.now[0] = arrival[0]
        self.refused += not self.server.take()


@pytest.mark.parametrize("model", MODELS)
@given(callers=st.integers(1, 40), limit=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_no_server_refuses_and_no_budget_is_left(model: str, callers: int, limit: int, seed: int) -> None:
    now = [0.0]
    budget = Budget(limit=limit)
    simulation = Simulation(budget, MODELS[model](limit, 10.0, lambda: now[0]), now, seed)
    simulation.run(callers, until=120.0, jitter=0.2, lateness=0.04)
    assert simulation.refused == 0
    # One caller alone sends 20 a second at most, so it can fill any of these budgets.
    full = limit * 120.0 / budget.window_seconds
    assert len(simulation.sent) >= 0.9 * full - limit


def test_every_caller_gets_its_share() -> None:
    now = [0.0]
    simulation = Simulation(Budget(), MODELS["sliding"](40, 10.0, lambda: now[0]), now, 1)
    simulation.run(32, until=300.0, jitter=0.2, lateness=0.04)
    shares = [sum(1 for _, who in simulation.sent if who == caller) for caller in range(32)]
    fairness = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
    assert fairness > 0.98
    assert max(simulation.longest_wait.values()) < 2 * Budget().window_seconds


def fill(ledger: Ledger, budget: Budget, now: float = 0.0) -> None:
    ledger.heard_at = now
    for _ in range(budget.limit):
        assert ledger.reserve(now, budget, Priority.CRAWL)[1] == 0.0


BUDGET = Budget(limit=4)
WINDOW = BUDGET.window_seconds


def test_a_full_window_makes_wait_until_its_oldest_send_counts_no_more() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    number, wait = ledger.reserve(1.0, BUDGET, Priority.CRAWL)
    assert wait == pytest.approx(WINDOW - 1.0)
    assert ledger.stamp(5.0, BUDGET, number) == pytest.approx(WINDOW - 5.0)
    assert ledger.stamp(WINDOW + 0.01, BUDGET, number) == 0.0


def test_the_lower_priority_number_goes_first() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    crawl, crawl_wait = ledger.reserve(1.0, BUDGET, Priority.CRAWL)
    act, act_wait = ledger.reserve(1.0, BUDGET, Priority.ACT)
    assert act_wait == crawl_wait
    assert [place.number for place in ledger.waiting] == [act, crawl]


def test_a_place_given_back_is_free_again() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    number, wait = ledger.reserve(1.0, BUDGET, Priority.CRAWL)
    ledger.release(number)
    assert ledger.reserve(1.0, BUDGET, Priority.CRAWL)[1] == wait


def test_the_slot_of_a_process_that_died_goes_to_the_next_caller() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    numbers = [ledger.reserve(1.0, BUDGET, Priority.CRAWL)[0] for _ in range(4)]
    for number in numbers[1:]:
        assert ledger.stamp(WINDOW + 0.1, BUDGET, number) == 0.0
    number, wait = ledger.reserve(WINDOW + 0.2, BUDGET, Priority.CRAWL)
    assert wait > 5.0, "the first may still come"
    ledger.release(number)
    assert ledger.reserve(WINDOW + 1.5, BUDGET, Priority.CRAWL)[1] == 0.0, "the first is dead"
    assert ledger.reserve(WINDOW + 1.5, BUDGET, Priority.CRAWL)[1] > 5.0, "there was one place"


def test_the_place_of_a_process_that_died_is_forgotten() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    for _ in range(4):
        ledger.reserve(1.0, BUDGET, Priority.CRAWL)
    assert ledger.reserve(WINDOW + 3.0, BUDGET, Priority.CRAWL)[1] == 0.0


def test_a_waiter_taken_for_dead_may_still_send_but_never_too_many() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    number, _ = ledger.reserve(1.0, BUDGET, Priority.CRAWL)
    late = WINDOW + 5.0
    fill(ledger, BUDGET, late)
    wait = ledger.stamp(late, BUDGET, number)
    assert wait == pytest.approx(WINDOW)


def test_a_pause_holds_everyone() -> None:
    ledger = Ledger()
    ledger.pause(0.0, 7.0)
    assert ledger.reserve(1.0, BUDGET, Priority.ACT)[1] == pytest.approx(6.0)


def test_a_429_pauses_as_long_as_it_asks() -> None:
    ledger = Ledger()
    ledger.observe(0.0, BUDGET, RateLimitFeedback(429, retry_after_seconds=3.0))
    assert ledger.reserve(0.0, BUDGET, Priority.ACT)[1] == pytest.approx(3.0)


def test_429s_without_retry_after_pause_longer_each_time_up_to_a_window() -> None:
    ledger = Ledger()
    pauses = []
    for _ in range(5):
        ledger.paused_until = 0.0
        ledger.observe(0.0, BUDGET, RateLimitFeedback(429))
        pauses.append(ledger.paused_until)
    assert pauses == [2.5, 5.0, 10.0, WINDOW, WINDOW]
    ledger.observe(0.0, BUDGET, RateLimitFeedback(200))
    assert ledger.strikes == 0


def test_all_callers_yield_to_others_what_they_use() -> None:
    ledger = Ledger()
    ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    ledger.observe(0.1, BUDGET, RateLimitFeedback(200, limit=4, remaining=1))
    assert ledger.others == 3, "two that we do not know, and one for the edge of the window"
    assert ledger.reserve(0.2, BUDGET, Priority.CRAWL)[1] == pytest.approx(WINDOW - 0.2)


def test_sends_that_may_not_have_arrived_yet_say_nothing_of_others() -> None:
    budget = Budget()
    ledger = Ledger(sent=[0.0, 0.9], others=3, heard_at=0.0)
    ledger.observe(1.0, budget, RateLimitFeedback(200, limit=40, remaining=37))
    assert ledger.others == 3, "the second send may be counted or not: one or two of the three are of others"
    ledger.observe(1.5, budget, RateLimitFeedback(200, limit=40, remaining=37))
    assert ledger.others == 2


def test_while_nothing_was_heard_sends_follow_each_other_slowly() -> None:
    ledger, budget = Ledger(), Budget()
    waits = [ledger.reserve(0.0, budget, Priority.CRAWL)[1] for _ in range(3)]
    assert waits == [0.0, pytest.approx(0.1), pytest.approx(0.2)]
    ledger.observe(0.05, budget, RateLimitFeedback(200, limit=40, remaining=39))
    assert ledger.reserve(0.3, budget, Priority.CRAWL)[1] < 0.02


def test_others_who_want_less_are_believed_slowly_and_forgotten_when_nothing_is_heard() -> None:
    ledger = Ledger(others=3, heard_at=0.0)
    ledger.observe(0.1, BUDGET, RateLimitFeedback(200, limit=4, remaining=4))
    assert ledger.others == 2
    ledger.reserve(5 * WINDOW, BUDGET, Priority.CRAWL)
    assert ledger.others == 2
    ledger.reserve(7 * WINDOW, BUDGET, Priority.CRAWL)
    assert ledger.others == 0


@pytest.mark.parametrize("seed", range(5))
def test_with_half_of_the_budget_used_by_another_client_few_are_refused(seed: int) -> None:
    now = [0.0]
    server = MODELS["sliding"](40, 10.0, lambda: now[0])
    ledger, budget, chance = Ledger(), Budget(), random.Random(seed)
    refused = sent = 0
    theirs = ours = 0.0
    place: int | None = None
    while now[0] < 600.0:
        now[0] = min(theirs, ours)
        if theirs <= ours:
            server.take()
            theirs += 0.5
            continue
        if place is None:
            place, wait = ledger.reserve(now[0], budget, Priority.CRAWL)
        else:
            wait = ledger.stamp(now[0], budget, place)
        if wait == 0.0:
            place, wait = None, 0.05 + 0.2 * chance.random()
            accepted = server.take()
            sent += now[0] > 20.0
            refused += now[0] > 20.0 and not accepted
            remaining = server.remaining()
            ledger.observe(now[0], budget, RateLimitFeedback(200 if accepted else 429, 40, remaining))
        ours = now[0] + wait
    assert refused <= 0.01 * sent
    assert sent > 0.8 * 2.0 * 580.0, "and what they leave is used"


def test_our_own_sends_explain_a_low_remaining() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    ledger.observe(0.1, BUDGET, RateLimitFeedback(200, limit=4, remaining=0))
    assert ledger.others == 0


def test_a_larger_limit_of_the_server_is_not_used() -> None:
    ledger = Ledger()
    ledger.observe(0.0, BUDGET, RateLimitFeedback(200, limit=400, remaining=399))
    fill(ledger, BUDGET)
    assert ledger.reserve(0.0, BUDGET, Priority.CRAWL)[1] > 0


def learned(
    limit: int, remaining: int, resource: str = "runs", at: float = 0.0, ledger: Ledger | None = None
) -> Ledger:
    ledger = ledger or Ledger()
    ledger.observe(at, BUDGET, RateLimitFeedback(200, limit=limit, remaining=remaining, resource=resource))
    return ledger


def test_a_smaller_limit_is_learned_for_its_class_alone() -> None:
    ledger = learned(2, 2)
    ledger.heard_at = 0.0
    waits = [ledger.reserve(0.0, BUDGET, Priority.CRAWL, "runs")[1] for _ in range(3)]
    assert waits == [0.0, 0.0, pytest.approx(WINDOW)]
    assert ledger.reserve(0.0, BUDGET, Priority.CRAWL, "spaces")[1] == 0.0, "the other classes continue"


def test_a_class_has_no_more_than_the_token() -> None:
    ledger = learned(3, 3)
    fill(ledger, BUDGET)
    assert ledger.reserve(0.0, BUDGET, Priority.CRAWL, "runs")[1] > 0


def test_the_usage_of_others_in_a_class_counts_there() -> None:
    ledger = learned(3, 1)
    assert ledger.reserve(0.1, BUDGET, Priority.CRAWL, "runs")[1] == 0.0
    assert ledger.reserve(0.1, BUDGET, Priority.CRAWL, "runs")[1] == pytest.approx(WINDOW - 0.1)
    assert len(ledger.sent) == 1


def test_a_class_recovers_when_its_limit_does() -> None:
    ledger = learned(1, 0)
    assert ledger.reserve(0.1, BUDGET, Priority.CRAWL, "runs")[1] > 5
    learned(BUDGET.limit, BUDGET.limit, at=0.2, ledger=ledger)
    assert ledger.smaller == {}
    assert ledger.reserve(0.3, BUDGET, Priority.ACT, "runs")[1] < 0.1 + WINDOW


def test_the_same_smaller_limit_for_the_whole_token_is_not_exceeded() -> None:
    """A server whose true budget is 2 for everything, said of each class: its counts correct ours."""
    server_sent = 0
    ledger, now = Ledger(), 0.0
    for number in range(6):
        resource = ("runs", "spaces", "reports")[number % 3]
        wait = ledger.reserve(now, BUDGET, Priority.CRAWL, resource)[1]
        if wait == 0.0:
            server_sent += 1
            learned(2, max(0, 2 - server_sent), resource, now, ledger)
        now += 0.1
    assert server_sent == 4, "each class learns with its first answer; three classes over-send two at most"


@pytest.mark.parametrize(
    ("feedback", "news"),
    [
        (RateLimitFeedback(200), False),
        (RateLimitFeedback(200, limit=4, remaining=3), False),
        (RateLimitFeedback(200, limit=4, remaining=2), True),
        (RateLimitFeedback(200, limit=400, remaining=0), False),
        (RateLimitFeedback(200, limit=3, remaining=3), True),
        (RateLimitFeedback(200, limit=4, remaining=4, resource="runs"), True),
        (RateLimitFeedback(429), True),
        (RateLimitFeedback(503), True),
    ],
)
def test_only_feedback_that_may_change_the_ledger_loads_it(feedback: RateLimitFeedback, news: bool) -> None:
    ledger = learned(2, 2)
    ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    ledger.heard_at = 0.0
    assert ledger.learns_from(BUDGET, feedback) is news


def test_after_a_429_the_next_good_answer_is_news() -> None:
    ledger = Ledger()
    ledger.observe(0.0, BUDGET, RateLimitFeedback(429))
    assert ledger.learns_from(BUDGET, RateLimitFeedback(200))


def test_a_ledger_survives_json() -> None:
    ledger = Ledger()
    fill(ledger, BUDGET)
    ledger.reserve(0.0, BUDGET, Priority.POLL)
    learned(2, 1, ledger=ledger)
    ledger.pause(0.0, 3.0)
    assert Ledger.loads(ledger.dumps()) == ledger
