# SPDX-License-Identifier: Apache-2.0
"""Parameters of a run are compared with the form of the Report before a run is started."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
)
from airflow_provider_studio.client.run_start import check_parameters
from airflow_provider_studio.emulator import StudioEmulator
from tests.client.starts import LINKS, report

__all__ = ["report"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"country": "DE"}, "takes no 'country'; it takes day, region"),
        ({"region": "Mars"}, "region is 'Mars', which is no choice .* choose from EU, US"),
        ({"region": ["EU", "Mars"]}, "no choice"),
    ],
)
def test_parameters_are_held_against_the_form(
    client: StudioClient, emulator: StudioEmulator, report: str, parameters: dict[str, Any], message: str
) -> None:
    emulator.control.change_report(report, form={"region": ["EU", "US"], "day": []})
    with pytest.raises(StudioConfigurationError, match=message):
        check_parameters(client, client.get_report(report), parameters)


@pytest.mark.parametrize("parameters", [None, {}, {"region": "EU"}, {"region": ["EU", "US"], "day": "any text"}])
def test_good_parameters_pass(
    client: StudioClient, emulator: StudioEmulator, report: str, parameters: dict[str, Any] | None
) -> None:
    emulator.control.change_report(report, form={"region": ["EU", "US"], "day": []})
    check_parameters(client, client.get_report(report), parameters)


CHOICES = [["Europe", "EU"], ["America", "US"], ["LATAM"], "APAC", 7, []]


@pytest.mark.parametrize("value", ["EU", "US", "LATAM", "APAC", 7, "7", ["EU", "US"]])
def test_a_choice_is_the_value_of_its_pair_of_label_and_value(
    client: StudioClient, emulator: StudioEmulator, report: str, value: Any
) -> None:
    show_form(client, emulator, report, [{"name": "region", "options": CHOICES}])
    check_parameters(client, client.get_report(report), {"region": value})


@pytest.mark.parametrize("value", ["Europe", "Mars", ["EU", "Europe"]])
def test_a_label_is_no_choice(client: StudioClient, emulator: StudioEmulator, report: str, value: Any) -> None:
    show_form(client, emulator, report, [{"name": "region", "options": CHOICES}])
    with pytest.raises(StudioConfigurationError, match=r"region is .* choose from EU, US, LATAM, APAC, 7"):
        check_parameters(client, client.get_report(report), {"region": value})


@pytest.mark.parametrize("options", [None, "EU", {"EU": "Europe"}, []])
def test_a_field_whose_choices_are_unknown_takes_any_value(
    client: StudioClient, emulator: StudioEmulator, report: str, options: Any
) -> None:
    show_form(client, emulator, report, ["a name", {"label": "Region"}, {"name": "region", "options": options}])
    check_parameters(client, client.get_report(report), {"region": "Mars"})


def show_form(client: StudioClient, emulator: StudioEmulator, report: str, fields: list[Any]) -> None:
    """Let the newest run of a Report show these fields of its form."""
    newest = {**next(iter(client.list_report_runs(report))).to_json(), "form_fields": fields}
    emulator.control.add_fault("status", status=200, body=newest, path=f"{report}/runs/{newest['token']}$")


@pytest.mark.parametrize("link", LINKS)
def test_the_form_is_found_whatever_the_report_links_as_its_last_run(
    client: StudioClient, emulator: StudioEmulator, report: str, link: str
) -> None:
    emulator.control.change_report(report, form={"region": ["EU", "US"], "day": []})
    emulator.control.set_quirks(last_run_link=link)
    with pytest.raises(StudioConfigurationError, match="takes no 'country'"):
        check_parameters(client, client.get_report(report), {"country": "DE"})


def test_without_a_form_to_see_parameters_go_unchecked(
    client: StudioClient, emulator: StudioEmulator, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_parameters(client, client.get_report(emulator.control.add_report()), {"a": 1})
    check_parameters(client, client.get_report(report), {"a": 1})
    emulator.control.add_fault("status", path="/runs/", status=403)
    check_parameters(client, client.get_report(report), {"a": 1})
    assert "shows no form" in caplog.text
    assert "could not be read" in caplog.text
