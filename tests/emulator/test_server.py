# SPDX-License-Identifier: Apache-2.0
"""The emulator as a server: it starts and stops without a sleep, and loses no response."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import Caller


def test_an_emulator_starts_and_stops_without_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float, *more: Any) -> None:
        slept.append(seconds)
        await sleep(seconds, *more)

    monkeypatch.setattr(asyncio, "sleep", counted)
    with StudioEmulator("acme", reports=0) as emulator:
        assert Caller(emulator)("GET", "/spaces?filter=custom").status_code == 200
    assert sum(slept) < 0.05


def test_a_response_in_progress_is_finished_before_an_emulator_stops() -> None:
    statuses: list[int] = []
    with StudioEmulator("acme", reports=0) as emulator:
        emulator.control.add_fault("slow", seconds=0.3)
        ask = Caller(emulator)
        asking = threading.Thread(target=lambda: statuses.append(ask("GET", "/spaces?filter=custom").status_code))
        asking.start()
        while requests.get(f"{emulator.url}/_emulator/faults", timeout=10).json()["faults"][0]["times"]:
            pass  # until the fault applies to the request
    asking.join(10)
    assert statuses == [200]


def test_a_stopped_emulator_gives_its_port_back() -> None:
    with StudioEmulator("acme", reports=0) as first:
        port = int(first.url.rsplit(":", 1)[1])
    with pytest.raises(requests.ConnectionError):
        first.control.clock()
    with StudioEmulator("acme", reports=0, port=port) as second:
        assert second.url == first.url
        assert second.control.clock()
