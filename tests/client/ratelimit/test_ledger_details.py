# SPDX-License-Identifier: Apache-2.0
"""Single steps of the ledger with exact times: smaller classes, lost slots, dropped entries."""

from __future__ import annotations

import json

import pytest

from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.ledger import Ledger, Slot, Smaller, UnreadableLedgerError

BUDGET = Budget(limit=4, interval_seconds=10.0, margin_seconds=0.0)
WINDOW = 10.0


def heard(**state: object) -> Ledger:
    """Return a ledger to which a response has reported the budget, so that sends need no pace."""
    return Ledger(heard_at=0.0, **state)  # type: ignore[arg-type]


def full() -> Ledger:
    """Return a ledger whose window is full since time 0."""
    return heard(sent=[0.0] * BUDGET.limit)


def waits(ledger: Ledger, count: int, resource: str = "", now: float = 0.0) -> list[float]:
    return [ledger.reserve(now, BUDGET, Priority.CRAWL, resource)[1] for _ in range(count)]


def test_every_place_has_a_number_of_its_own() -> None:
    ledger = full()
    numbers = [ledger.reserve(0.0, BUDGET, Priority.CRAWL)[0] for _ in range(3)]
    assert len(set(numbers)) == 3
    ledger.release(numbers[0])
    assert [place.number for place in ledger.waiting] == numbers[1:]


def test_what_names_no_class_of_resources_belongs_to_the_nameless_one() -> None:
    ledger = full()
    ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    ledger.stamp(0.0, BUDGET, 77)
    assert [place.resource for place in ledger.waiting] == ["", ""]


def test_each_waiter_of_a_smaller_class_waits_a_whole_window_more() -> None:
    ledger = heard(smaller={"runs": Smaller(1, [])})
    assert waits(ledger, 4, "runs") == [0.0, WINDOW, 2 * WINDOW, 3 * WINDOW]
    assert [place.resource for place in ledger.waiting] == ["runs"] * 3


def test_waiters_of_a_smaller_class_hold_nobody_else_up() -> None:
    ledger = heard(smaller={"runs": Smaller(1, [0.0])})
    ledger.reserve(0.0, BUDGET, Priority.CRAWL, "runs")
    ledger.sent = [0.0] * BUDGET.limit
    assert waits(ledger, 2, "spaces") == [pytest.approx(WINDOW), pytest.approx(WINDOW + 0.01)]


def test_a_newcomer_of_a_smaller_class_queues_behind_its_own() -> None:
    ledger = heard(smaller={"runs": Smaller(2, [0.0, 0.0])})
    first, second = waits(ledger, 2, "runs")
    assert (first, second) == (WINDOW, pytest.approx(WINDOW + 0.01))


def test_a_class_that_became_smaller_holds_the_places_reserved_before() -> None:
    ledger = full()
    number, wait = ledger.reserve(0.0, BUDGET, Priority.CRAWL, "runs")
    assert wait == WINDOW
    ledger.observe(9.0, BUDGET, RateLimitFeedback(200, limit=1, remaining=0, resource="runs"))
    assert ledger.stamp(10.5, BUDGET, number, "runs") == pytest.approx(9.0 + WINDOW - 10.5)
    assert ledger.stamp(19.5, BUDGET, number, "runs") == 0.0
    assert ledger.smaller["runs"].sent == [19.5], "the send counts for its class too"


def test_a_send_without_waiting_counts_for_its_class_too() -> None:
    ledger = heard(smaller={"runs": Smaller(2, [])})
    assert waits(ledger, 1, "runs") == [0.0]
    assert ledger.smaller["runs"].sent == [0.0]
    assert waits(ledger, 1, "spaces") == [0.0]
    assert ledger.smaller["runs"].sent == [0.0]


def test_a_lost_place_is_taken_again_under_its_number_before_all_others() -> None:
    ledger = full()
    assert ledger.stamp(1.0, BUDGET, 77, "runs") == pytest.approx(WINDOW - 1.0)
    assert ledger.stamp(2.0, BUDGET, 77, "runs") == pytest.approx(WINDOW - 2.0)
    (place,) = ledger.waiting
    assert (place.number, place.priority, place.resource) == (77, Priority.ACT, "runs")


def test_a_lost_place_is_stamped_at_once_where_there_is_room() -> None:
    assert heard().stamp(0.0, BUDGET, 77) == 0.0


def test_a_send_within_the_grain_of_its_time_goes() -> None:
    ledger = full()
    number, _ = ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    assert ledger.stamp(WINDOW - 0.0009, BUDGET, number) == 0.0


def test_what_a_smaller_class_had_sent_before_it_was_known_is_booked_once() -> None:
    ledger = heard()
    ledger.observe(1.0, BUDGET, RateLimitFeedback(200, limit=3, remaining=1, resource="runs"))
    assert ledger.smaller["runs"].sent == [1.0, 1.0]
    ledger.observe(2.0, BUDGET, RateLimitFeedback(200, limit=3, remaining=0, resource="runs"))
    assert ledger.smaller["runs"].sent == [1.0, 1.0, 2.0]
    ledger.observe(3.0, BUDGET, RateLimitFeedback(200, limit=3, remaining=2, resource="runs"))
    assert ledger.smaller["runs"].sent == [1.0, 1.0, 2.0], "what was counted earlier stays counted"


def test_a_smaller_limit_without_a_remaining_books_nothing() -> None:
    ledger = heard()
    ledger.observe(1.0, BUDGET, RateLimitFeedback(200, limit=3, resource="runs"))
    assert ledger.smaller["runs"] == Smaller(3, [])


def test_a_limit_of_zero_still_lets_one_through_per_window() -> None:
    ledger = heard()
    ledger.observe(0.0, BUDGET, RateLimitFeedback(200, limit=0, remaining=0, resource="runs"))
    assert waits(ledger, 2, "runs") == [0.0, WINDOW]


@pytest.mark.parametrize(("status", "second_pause"), [(200, 2.5), (399, 2.5), (400, 5.0), (503, 5.0)])
def test_only_a_good_answer_between_429s_ends_the_row(status: int, second_pause: float) -> None:
    ledger = Ledger()
    ledger.observe(0.0, BUDGET, RateLimitFeedback(429))
    assert ledger.paused_until == 2.5
    ledger.observe(3.0, BUDGET, RateLimitFeedback(status))
    ledger.observe(3.0, BUDGET, RateLimitFeedback(429))
    assert ledger.paused_until == 3.0 + second_pause


def test_a_pause_holds_places_that_were_reserved_before_and_their_order() -> None:
    ledger = full()
    number, _ = ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    ledger.pause(1.0, 30.0)
    assert ledger.stamp(11.0, BUDGET, number) == 20.0
    assert ledger.stamp(31.0, BUDGET, number) == 0.0


def test_who_waits_through_a_pause_is_not_taken_for_a_clock_that_started_again() -> None:
    ledger = full()
    ledger.pause(0.0, 55.0)
    number, wait = ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    assert wait == 55.0
    ledger.reserve(1.0, BUDGET, Priority.CRAWL)
    assert number in [place.number for place in ledger.waiting]


def test_a_long_queue_is_not_taken_for_a_clock_that_started_again() -> None:
    ledger = full()
    numbers = [ledger.reserve(0.0, BUDGET, Priority.CRAWL)[0] for _ in range(40)]
    assert [place.number for place in ledger.waiting] == numbers
    assert ledger.waiting[-1].at > 9 * WINDOW


def test_places_of_a_clock_that_started_again_are_dropped() -> None:
    ledger = full()
    ledger.reserve(0.0, BUDGET, Priority.CRAWL)
    ledger.waiting[0].at = 1_000_000.0
    ledger.sent = [999_999.0] * 4
    assert waits(ledger, 1) == [0.0]
    assert ledger.waiting == []


@pytest.mark.parametrize(("now", "paused_until"), [(0.0, 0.0), (1000.0, 0.0), (1000.0, 1005.0)])
@pytest.mark.parametrize(("beyond", "kept"), [(-0.5, [1]), (0.5, [])])
def test_a_place_later_than_a_whole_queue_and_two_windows_is_of_a_clock_that_started_again(
    now: float, paused_until: float, beyond: float, kept: list[int]
) -> None:
    latest = max(now, paused_until) + 2 * WINDOW + WINDOW / BUDGET.limit
    ledger = Ledger(waiting=[Slot(1, latest + beyond, Priority.CRAWL, "")], paused_until=paused_until)
    ledger.observe(now, BUDGET, RateLimitFeedback(200))
    assert [place.number for place in ledger.waiting] == kept


def test_a_send_stops_counting_exactly_one_window_later() -> None:
    ledger = heard(sent=[0.0] * BUDGET.limit)
    assert waits(ledger, 1, now=WINDOW - 0.5) == [0.5]
    ledger.waiting.clear()
    assert waits(ledger, 1, now=WINDOW) == [0.0]


def test_who_was_heard_of_is_believed_for_six_windows() -> None:
    ledger = heard(others=2)
    ledger.reserve(6 * WINDOW - 0.1, BUDGET, Priority.CRAWL)
    assert ledger.others == 2
    ledger.reserve(6 * WINDOW + 0.1, BUDGET, Priority.CRAWL)
    assert (ledger.others, ledger.heard_at) == (0, None)


def test_an_answer_is_written_down_as_heard_once_a_window() -> None:
    ledger = Ledger()
    said = RateLimitFeedback(200, limit=BUDGET.limit, remaining=BUDGET.limit)
    for now, heard_at in ((100.0, 100.0), (105.0, 100.0), (110.1, 110.1)):
        ledger.observe(now, BUDGET, said)
        assert ledger.heard_at == heard_at


@pytest.mark.parametrize(
    ("remaining", "sends", "others_before", "others_after"),
    [
        (4, [], 0, 0),  # nobody sent anything
        (3, [], 0, 2),  # one send that is not ours, and one for the edge of the window
        (3, [0.0], 0, 0),  # our own send explains it
        (2, [0.0], 0, 2),
        (4, [], 3, 2),  # the others want less, and are believed one at a time
        (2, [], 3, 3),
        (3, [], 3, 2),
        (3, [0.0], 1, 0),
        (0, [], 0, 5),  # they may have taken everything
    ],
)
def test_the_usage_of_others_is_learned_from_what_the_server_counted(
    remaining: int, sends: list[float], others_before: int, others_after: int
) -> None:
    ledger = heard(sent=list(sends), others=others_before)
    ledger.observe(1.0, BUDGET, RateLimitFeedback(200, limit=BUDGET.limit, remaining=remaining))
    assert ledger.others == others_after


@pytest.mark.parametrize(
    ("state", "feedback", "news"),
    [
        ({}, RateLimitFeedback(200, limit=4, remaining=4), False),
        ({"heard_at": None}, RateLimitFeedback(200, limit=4, remaining=4), True),
        ({"sent": [0.0, 10.5]}, RateLimitFeedback(200, limit=4, remaining=2), True),  # heard longer ago than a window
        ({"sent": [0.0, 5.0, 10.5]}, RateLimitFeedback(200, limit=4, remaining=1), True),
        ({"sent": [10.5, 9.0]}, RateLimitFeedback(200, limit=4, remaining=2), False),
        ({"strikes": 1}, RateLimitFeedback(200), True),
        ({"others": 1}, RateLimitFeedback(200, limit=4, remaining=4), True),
        ({}, RateLimitFeedback(400), True),
        ({}, RateLimitFeedback(399), False),
        ({}, RateLimitFeedback(200, limit=4), False),
        ({}, RateLimitFeedback(200, limit=4, remaining=3), True),
        ({"sent": [0.0]}, RateLimitFeedback(200, limit=4, remaining=3), False),
    ],
)
def test_an_answer_that_may_change_something_is_news(
    state: dict[str, object], feedback: RateLimitFeedback, news: bool
) -> None:
    ledger = Ledger(**{"heard_at": 0.0, **state})  # type: ignore[arg-type]
    assert ledger.learns_from(BUDGET, feedback) is news


def test_a_send_that_would_delay_a_waiter_waits_itself() -> None:
    ledger = heard(sent=[0.0, 0.0, 0.0], waiting=[Slot(1, 5.0, Priority.CRAWL, "")])
    assert waits(ledger, 1, now=1.0) == [WINDOW - 1.0]


def test_a_send_that_delays_nobody_goes_before_the_waiters() -> None:
    ledger = heard(sent=[0.0, 0.0, 0.0], waiting=[Slot(1, WINDOW, Priority.CRAWL, "")])
    assert waits(ledger, 1, now=1.0) == [0.0]


def test_a_ledger_is_stored_as_one_short_text_and_read_again() -> None:
    ledger = full()
    ledger.smaller["runs"] = Smaller(1, [0.0])
    ledger.reserve(0.0, BUDGET, Priority.CRAWL, "runs")
    assert " " not in ledger.dumps()
    assert Ledger.loads(ledger.dumps()) == ledger
    assert Ledger.loads(None) == Ledger()


@pytest.mark.parametrize(
    "place", [[7, 1.5, 2, "runs", "of a later version"], {"number": 7, "at": 1.5, "priority": 2, "resource": "runs"}]
)
def test_a_place_is_read_as_far_as_its_fields_are_known(place: object) -> None:
    assert Ledger.loads(json.dumps({"waiting": [place]})).waiting == [Slot(7, 1.5, 2, "runs")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "^Invalid JSON"),
        ("[]", "^Input should be"),
        ('{"sent": "often"}', "^sent: Input should be a valid"),
        ('{"sent": [1.5, "often"]}', r"^sent\.1: Input should be a valid number"),
        ('{"waiting": [7]}', r"^waiting\.0: Input should be"),
        ('{"waiting": [null]}', r"^waiting\.0: Input should be"),
        ('{"waiting": [[7, 1.5, 2]]}', r"^waiting\.0\.resource: Field required"),
        ('{"strikes": -1}', "^strikes: Input should be greater than or equal to 0"),
    ],
)
def test_a_text_that_is_no_ledger_is_an_error_that_names_the_field(text: str, message: str) -> None:
    with pytest.raises(UnreadableLedgerError, match=message):
        Ledger.loads(text)
