# SPDX-License-Identifier: Apache-2.0
"""The journeys of a user under one setting of one quirk: nights, a plan with its undo, and a Report run."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from upath import UPath

from airflow_provider_studio.emulator.quirks import QUIRKS
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.contrary.provider import Provider
from tests.contrary.service import Service

WORLD = 3
POLICY = StalenessPolicy(unviewed_days=2, minimum_age_days=0, schedules_of_archived=True, protected_subscribers=None)
LOST = {"kind": "lose_response", "method": "POST"}


@dataclass(frozen=True)
class Journeys:
    """How each journey ended; none may end in any other way.

    :param inventory: `complete`, or `refused` with a clear error.
    :param plan: `restored`, or that the undo `reports` what it could not restore, or that there is `nothing to do`
        because nothing is proven, or `refused`.
    :param run: `once`, though the response to the start was lost, or `refused`.
    """

    inventory: str
    plan: str
    run: str

    def cells(self) -> str:
        """Return the cells of a row of a table."""
        return " | ".join(astuple(self))


BEST = Journeys("complete", "restored", "once")


def travel(service: Service, storage: UPath, quirks: dict[str, Any]) -> Journeys:
    """Do all journeys; every step is checked as in `Provider`.

    :raises AssertionError: a journey is neither right nor refused.
    """
    defaults = {name: quirk.settings[0].value for name, quirk in QUIRKS.items()}
    service.begin(WORLD, defaults | quirks)
    provider = Provider(service, storage, lambda _words: None)
    inventory = provider.night() is not None and provider.night(days=3) is not None
    report = service.report(0)
    assert report is not None
    plan = _plan(provider) if inventory else "refused"
    run = provider.run_report(report, [[LOST], []])
    return Journeys("complete" if inventory else "refused", plan, "refused" if run is None else "once")


def _plan(provider: Provider) -> str:
    plan = provider.make_plan(POLICY)
    if plan is None:
        return "refused"
    if not plan.actions:
        return "nothing to do"
    if provider.apply() is None:
        return "refused"
    undone = provider.undo()
    if undone is None:
        return "refused"
    return "reports" if undone.failures or undone.not_tried or undone.stopped else "restored"
