# SPDX-License-Identifier: Apache-2.0
"""Under each setting of each quirk, every journey ends as the documentation says, and never wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.quirk_settings import Quirk, Setting
from tests.contrary.journeys import BEST, travel
from tests.contrary.page import by_setting, listed
from tests.contrary.service import NOW, Service

SETTINGS = by_setting()
QUICK, FULL = SETTINGS[::40], SETTINGS[::8]
"""Settings that `make test` and `make test-all` try; `make nightly` tries all, and so does the state machine."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with StudioEmulator("acme", reports=0, now=NOW) as emulator:
        yield Service(emulator)


def when_run(setting: tuple[Quirk, Setting]) -> list[pytest.MarkDecorator]:
    if setting in QUICK:
        return []
    return [pytest.mark.slow] if setting in FULL else [pytest.mark.slow, pytest.mark.nightly]


@pytest.mark.parametrize(
    ("quirk", "setting"),
    [pytest.param(*each, id=f"{each[0].name}={each[1].value}", marks=when_run(each)) for each in SETTINGS],
)
def test_the_journeys_end_as_the_page_says(service: Service, storage: UPath, quirk: Quirk, setting: Setting) -> None:
    assert travel(service, storage, {quirk.name: setting.value}).cells() == listed(quirk, setting)


def test_without_oddities_every_journey_is_right(service: Service, storage: UPath) -> None:
    assert travel(service, storage, {}) == BEST
