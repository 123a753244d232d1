# SPDX-License-Identifier: Apache-2.0
"""Run triggers like a triggerer, and start the runs that they wait for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from airflow.triggers.base import BaseTrigger

from airflow_provider_studio.testing import StudioTestReport
from tests.hand_clock import HandClock


def started(report: StudioTestReport, seconds: float, outcome: str = "succeeded") -> str:
    """Start a run, as another task would."""
    import requests

    report.next_run(outcome, seconds)  # type: ignore[arg-type]
    workspace = report._workspace.emulator
    address = f"{workspace.url}/api/acme/reports/{report.token}/runs"
    response = requests.post(address, json={}, auth=workspace.credentials(), timeout=10)
    return str(response.json()["token"])


async def first_event(trigger: BaseTrigger) -> dict[str, Any]:
    """Run a trigger, recreated from its stored form, until it fires."""
    path, arguments = trigger.serialize()
    assert path.rsplit(".", 1)[1] == type(trigger).__name__
    again = type(trigger)(**json.loads(json.dumps(arguments)))
    async for event in again.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


def fired(clock: HandClock, *triggers: BaseTrigger) -> list[dict[str, Any]]:
    """Run triggers in one event loop and return the first event of each."""

    async def gather() -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(first_event(trigger) for trigger in triggers)))

    return clock.run(gather())
