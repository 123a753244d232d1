# SPDX-License-Identifier: Apache-2.0
"""The input that would create a schedule again, read from a response: complete, or an error."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Schedule, ScheduleInput
from airflow_provider_studio.emulator import StudioEmulator

DAILY = {"freq": "daily", "hour": 6, "minute": 15, "time_zone": "UTC"}
ROW = {
    "token": "t",
    "name": "Mornings",
    "parameters": {"region": "EU"},
    "timeout": 600,
    "frequency": "daily",
    "time_zone": "Berlin",
    "hour": "6:00 am",
    "minute": "15 minutes past the hour",
    "cron_hour": 6,
    "cron_minute": 15,
    "day_of_month": None,
}
PARAMETERS = [
    {},
    {"region": "EU"},
    {"type": "new", "region": "EU"},
    {"type": "new"},
    {"type": "object"},
    {"value": "x"},
    {"value": {"region": "EU"}},
    {"type": "object", "value": {"region": "EU"}},
    {"type": "object", "value": None},
    {"options": ["EU", "US"]},
    {"region": {"type": "text", "value": "EU"}},
    {"nested": {"value": {"deep": [1, None, {"type": "x"}]}}},
    {"list": [], "null": None, "empty": "", "zero": 0, "no": False},
    {"null": None},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "EU", "object"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "value", "options", "region"]), inner, max_size=3)
    ),
    max_leaves=6,
)
UNHURRIED = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ANY_PARAMETERS = st.dictionaries(
    st.sampled_from(["type", "value", "options", "region", "name", "cron"]), JSON, max_size=4
)


def schedule(*, cron: Any = None, **body: Any) -> Schedule:
    """A schedule with a form; `params` is put into the form as it is."""
    fields = {name: {"type": "text", "value": value} for name, value in (cron or DAILY).items()}
    form: dict[str, Any] = {"cron": fields, "name": {"type": "text", "value": "Mornings"}}
    if "params" in body:
        form["params"] = body.pop("params")
    return Schedule.parse({"token": "t", **body, "_forms": {"edit": {"input": {"report_schedule": form}}}})


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("shape", ["bare", "wrapped", "fields", "missing"])
def test_parameters_are_those_of_the_response_whatever_they_are_called(parameters: dict[str, Any], shape: str) -> None:
    forms = {
        "bare": {"params": parameters},
        "wrapped": {"params": {"type": "object", "value": parameters}},
        "fields": {"params": {name: {"type": "text", "value": value} for name, value in parameters.items()}},
        "missing": {},
    }
    assert schedule(parameters=parameters, **forms[shape]).machine_values().params == parameters


@UNHURRIED
@given(ANY_PARAMETERS, st.booleans())
def test_no_parameter_is_ever_lost_or_made_up(parameters: dict[str, Any], is_bare: bool) -> None:
    params = parameters if is_bare else {"type": "object", "value": parameters}
    assert schedule(parameters=parameters, params=params).machine_values().params == parameters


@UNHURRIED
@given(ANY_PARAMETERS, ANY_PARAMETERS)
def test_two_sources_that_disagree_are_refused_or_explained(returned: dict[str, Any], form: dict[str, Any]) -> None:
    live = schedule(parameters=returned, params=form)
    if form in (returned, {"type": "object", "value": returned}):
        assert live.machine_values().params == returned
        return
    with contextlib.suppress(StudioResponseError):
        assert live.machine_values().params == returned, "never what the form alone holds"


@pytest.mark.parametrize(
    ("returned", "form"),
    [
        ({}, {"region": "EU"}),
        ({"region": "EU"}, {}),
        ({"region": "EU"}, None),
        ({"region": "EU"}, {"region": "US"}),
        ({"region": "EU"}, {"type": "object", "value": {}}),
        ({"on": True}, {"on": 1}),
        ({"nested": {"a": None}}, {"nested": {}}),
        (None, {"region": "EU"}),
        ({}, {"type": "new"}),
        ({}, {"type": "object", "value": {"region": "EU"}}),
    ],
)
def test_sources_that_disagree_are_no_faithful_backup(returned: Any, form: Any) -> None:
    with pytest.raises(StudioResponseError, match=r"Schedule t cannot be backed up faithfully: parameters"):
        schedule(parameters=returned, params=form).machine_values()


def test_a_form_alone_does_not_say_which_of_its_keys_are_parameters() -> None:
    with pytest.raises(StudioResponseError, match="parameters is missing"):
        schedule(params={"region": "EU"}).machine_values()
    assert schedule(params={}).machine_values().params == {}


def test_no_value_of_a_parameter_is_in_an_error() -> None:
    with pytest.raises(StudioResponseError) as caught:
        schedule(parameters={"account": "s3cret"}, params={"account": "0ther"}).machine_values()
    assert "account" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "0ther" not in str(caught.value)


def test_what_cannot_be_restored_whole_still_says_when_it_fires() -> None:
    assert schedule(parameters={}, params={"region": "EU"}).cron().hour == 6


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_what_is_sent_has_each_parameter_null_ones_too(parameters: dict[str, Any]) -> None:
    body = ScheduleInput.checked(cron=DAILY, params=parameters).to_json()["report_schedule"]
    assert body["params"] == parameters
    assert "day_of_month" not in body["cron"]
    assert "timeout" not in body


def test_a_day_that_is_not_set_has_no_value_in_the_form() -> None:
    live = schedule(parameters={}, params={})
    fields = live.forms["edit"]["input"]["report_schedule"]["cron"]
    fields["day_of_week"] = {"type": "select", "options": [0, 1, 2]}
    fields["day_of_month"] = {"type": "select", "options": [1, 2, 3]}
    cron = live.machine_values().cron
    assert (cron.hour, cron.day_of_week, cron.day_of_month) == (6, None, None)


@pytest.mark.parametrize(
    ("cron", "field", "row"),
    [
        ({"freq": "weekly", "hour": 6, "minute": 0, "time_zone": "UTC"}, "day_of_week", {}),
        ({"freq": "weekly", "hour": 6, "minute": 0, "time_zone": "UTC"}, "day_of_week", {"day_of_week": "Monday"}),
        ({"freq": "monthly", "hour": 6, "minute": 0, "time_zone": "UTC"}, "day_of_month", {}),
        ({"freq": "daily", "minute": 0, "time_zone": "UTC"}, "hour", {}),
        ({"freq": "hourly", "time_zone": "UTC"}, "minute", {}),
        ({"freq": "daily", "hour": 6, "minute": 0}, "time_zone", {"time_zone": "Middle Earth"}),
    ],
)
def test_a_form_without_a_value_that_the_frequency_needs_is_no_faithful_backup(
    cron: dict[str, Any], field: str, row: dict[str, Any]
) -> None:
    live = schedule(cron=cron, parameters={}, **row)
    live.forms["edit"]["input"]["report_schedule"]["cron"][field] = {"type": "select", "options": [1]}
    with pytest.raises(StudioResponseError, match=f"cron.{field} has no value"):
        live.machine_values()


def test_a_value_that_the_form_lacks_is_taken_from_the_response_itself() -> None:
    live = schedule(
        cron={"freq": "monthly", "minute": 0}, parameters={}, day_of_month=31, cron_hour=6, time_zone="Berlin"
    )
    cron = live.machine_values().cron
    assert (cron.day_of_month, cron.hour, cron.time_zone) == (31, 6, "Berlin")


def test_a_schedule_without_forms_is_backed_up_from_its_row() -> None:
    assert Schedule.parse(ROW).machine_values() == ScheduleInput.checked(
        cron={"freq": "daily", "hour": 6, "minute": 15, "time_zone": "Berlin"},
        name="Mornings",
        timeout=600,
        params={"region": "EU"},
    )


@pytest.mark.parametrize("forms", [{}, {"destroy": {}}, {"edit": None}, {"edit": {"input": {"report_schedule": {}}}}])
def test_forms_that_do_not_edit_the_schedule_are_no_faithful_backup(forms: Any) -> None:
    live = Schedule.parse({**ROW, "_forms": forms})
    with pytest.raises(StudioResponseError, match=r"_forms\.edit does not hold its values"):
        live.machine_values()
    assert live.cron().hour == 6, "which the inventory may know"


@pytest.mark.parametrize(
    "lacks", ["name", "parameters", "timeout", "frequency", "time_zone", "cron_hour", "cron_minute"]
)
def test_a_row_that_lacks_something_is_no_faithful_backup(lacks: str) -> None:
    with pytest.raises(StudioResponseError, match="cannot be backed up faithfully"):
        Schedule.parse({name: value for name, value in ROW.items() if name != lacks}).machine_values()


@pytest.mark.parametrize(
    "change",
    [
        {"frequency": "often"},
        {"frequency": "weekly", "day_of_week": "Monday"},
        {"frequency": "weekly", "day_of_week": "Monday,Tuesday"},
        {"frequency": "weekly"},
        {"frequency": "monthly"},
        {"time_zone": "Europe/Berlin"},
        {"cron_hour": 24},
        {"cron_minute": "the top of the hour"},
    ],
)
def test_a_row_whose_words_cannot_be_sent_back_is_no_faithful_backup(change: dict[str, Any]) -> None:
    with pytest.raises(StudioResponseError, match="cannot be backed up faithfully"):
        Schedule.parse({**ROW, **change}).machine_values()


@pytest.mark.parametrize(
    ("row", "cron"),
    [
        ({"frequency": "hourly"}, {"freq": "hourly", "minute": 15, "time_zone": "Berlin"}),
        ({"frequency": "every_30_minutes"}, {"freq": "every_30_minutes"}),
        (
            {"frequency": "monthly", "day_of_month": 31},
            {"freq": "monthly", "hour": 6, "minute": 15, "time_zone": "Berlin", "day_of_month": 31},
        ),
    ],
)
def test_the_row_of_any_other_frequency_is_enough(row: dict[str, Any], cron: dict[str, Any]) -> None:
    assert Schedule.parse({**ROW, **row}).machine_values().cron == ScheduleInput.checked(cron=cron).cron


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize(
    "quirks",
    [
        {"schedule_params": "bare"},
        {"schedule_params": "wrapped"},
        {"schedule_unset_days": "null"},
        {"schedule_forms": "absent"},
    ],
)
def test_a_schedule_that_is_created_again_from_its_response_is_the_same(
    client: StudioClient, emulator: StudioEmulator, parameters: dict[str, Any], quirks: dict[str, Any]
) -> None:
    emulator.control.set_quirks(**quirks)
    report = emulator.control.add_report()
    old = emulator.control.add_schedule(report, params=parameters, cron={"hour": 5, "time_zone": "Tokyo"}, name="N")
    new = client.create_schedule(report, client.get_schedule(report, old).machine_values()).token
    schedules = emulator.control.state()["schedules"]
    assert schedules[new] == schedules[old]
    assert schedules[new]["params"] == parameters
