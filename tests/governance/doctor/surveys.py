# SPDX-License-Identifier: Apache-2.0
"""Surveys of an emulated service, taken once for each combination of quirks, because a survey never changes."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from typing import Any

from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.doctor.examination import Examination, examine
from airflow_provider_studio.governance.doctor.findings import Finding
from airflow_provider_studio.governance.doctor.service_probes import Access
from airflow_provider_studio.governance.doctor.survey import Survey
from tests.conftest import client_of

AT = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
ACCESS = Access("acme", "https://app.mode.com", "app.mode.com")
CROWDED, SCHEDULED = 65, 3


@functools.cache
def _emulator() -> StudioEmulator:
    """Return one emulator for all surveys of this process; its thread ends with the process."""
    emulator = StudioEmulator("acme", reports=40, seed=7, now=AT, speed=0).__enter__()
    control = emulator.control
    crowded = next(iter(control.state()["collections"]))
    for number in range(CROWDED):
        created = f"2026-03-01T{number // 60:02}:{number % 60:02}:07.250Z"
        token = control.add_report(name=f"Crowd {number}", collection=crowded, created_at=created, edited_at=created)
        if number < SCHEDULED:
            cron = {
                "freq": "weekly" if number else "daily",
                "hour": 6,
                "minute": 10,
                "day_of_week": "2" if number else None,
            }
            control.add_schedule(token, cron=cron, params={"region": "EMEA"})
    dataset = control.add_report(name="Fed", collection=crowded, type="DatasetReport")
    control.change_report(token, imported_datasets=[dataset])
    return emulator


def emulated(**quirks: Any) -> StudioEmulator:
    """Return the emulator with these quirks and no others."""
    emulator = _emulator()
    emulator.control.set_quirks(**_DEFAULTS | quirks)
    emulator.control.clear_requests()
    return emulator


@functools.cache
def _examined(quirks: str) -> Examination:
    with client_of(emulated(**json.loads(quirks))) as client:
        return examine(client)


def examined(**quirks: Any) -> Examination:
    """Return the examination of a service with these quirks."""
    return _examined(json.dumps(quirks, sort_keys=True))


def finding(fact: str, **quirks: Any) -> Finding:
    """Return the finding about a fact under these quirks."""
    return next(found for found in examined(**quirks).findings if found.fact == fact)


def survey_of(**bodies: Any) -> Survey:
    """Return a survey with successful responses of these bodies, by the names of the requests."""
    return Survey({name: Exchange("GET", f"/api/acme/{name}", 200, AT, body=body) for name, body in bodies.items()})


def _defaults() -> dict[str, Any]:
    from airflow_provider_studio.emulator.quirks import QUIRKS

    return {name: quirk.settings[0].value for name, quirk in QUIRKS.items()}


_DEFAULTS = _defaults()
