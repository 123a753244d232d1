# SPDX-License-Identifier: Apache-2.0
"""Nights, plans, undos and Report runs under contrary services: whatever is odd, nothing is missed or lost silently.

Each example is a service with random quirks and a sequence of what happens there. A failing example prints its service
and its steps; `make nightly` tries thousands.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, event, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.contrary import contrary_service
from airflow_provider_studio.emulator.quirks import QUIRKS
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.contrary.provider import Provider
from tests.contrary.service import NOW, WORLDS, Service

EXAMPLES = {"quick": 2, "full": 6, "nightly": 1000}
"""How many examples each of the two servers (HTTP and HTTPS) gets, by Hypothesis profile."""
STEPS = 10

NUMBERS = st.integers(0, 10**6)
SERVICES = st.lists(st.sampled_from(sorted(QUIRKS)), max_size=8, unique=True) | st.none()
"""The quirks that a seed chooses; all of them as `--contrary` does, for None."""
POLICIES = st.fixed_dictionaries(
    {"unviewed_days": st.sampled_from([2, 3, 30]), "minimum_age_days": st.sampled_from([0, 30])},
    optional={
        "unrun_days": st.sampled_from([1, 30]),
        "schedules_of_archived": st.just(True),
        "failing_schedule_runs": st.just(1),
        "owner_left_days": st.just(1),
        "never_run_days": st.just(1),
    },
)
PEOPLE_DO = ["create", "edit", "view", "archive", "unarchive", "schedule", "move", "delete"]
FAULTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["lose_response", "reset", "status", "html", "garbage", "truncate"]),
            "method": st.sampled_from(["GET", "PATCH", "DELETE", "POST"]),
            "after": st.integers(0, 5),
            "times": st.sampled_from([1, 2, 6]),
            "status": st.sampled_from([500, 503]),
        }
    ),
    max_size=2,
)
"""What breaks in one step."""


class Nights(RuleBasedStateMachine):
    """What happens in one workspace."""

    service: Service

    @initialize(world=st.integers(0, WORLDS - 1), seed=NUMBERS, odd=SERVICES)
    def begin(self, world: int, seed: int, odd: list[str] | None) -> None:
        if odd is None:
            chosen = contrary_service(seed).quirks
            quirks = {name: getattr(chosen, name) for name in QUIRKS}
        else:
            quirks = {name: QUIRKS[name].choose(Random(f"{seed}/{name}")) for name in odd}
        defaults = {name: quirk.settings[0].value for name, quirk in QUIRKS.items()}
        note(f"the service: { ({name: value for name, value in quirks.items() if value != defaults[name]}) }")
        self.folder = Path(tempfile.mkdtemp(prefix="studio-contrary-"))
        self.service.begin(world, defaults | quirks)
        self.provider = Provider(self.service, UPath(self.folder), event)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(what=st.sampled_from(PEOPLE_DO), number=NUMBERS)
    def people(self, what: str, number: int) -> None:
        self.provider.touched.add(self.service.people(what, number))

    @rule(days=st.sampled_from([1, 1, 2, 40]), faults=FAULTS)
    def night(self, days: int, faults: list[dict[str, Any]]) -> None:
        self.provider.night(days, faults)

    @precondition(lambda self: self.provider.has_snapshot)
    @rule(policy=POLICIES, faults=FAULTS)
    def make_plan(self, policy: dict[str, Any], faults: list[dict[str, Any]]) -> None:
        self.provider.make_plan(StalenessPolicy(**policy), faults)

    @precondition(lambda self: self.provider.plan is not None and self.provider.plan.actions)
    @rule(concurrency=st.sampled_from([1, 3]), faults=FAULTS)
    def apply(self, concurrency: int, faults: list[dict[str, Any]]) -> None:
        self.provider.apply(concurrency, faults)

    @precondition(lambda self: self.provider.before_plan is not None)
    @rule(faults=FAULTS)
    def undo(self, faults: list[dict[str, Any]]) -> None:
        self.provider.undo(faults)

    @rule(number=NUMBERS, tries=st.lists(FAULTS, min_size=1, max_size=3))
    def run_report(self, number: int, tries: list[list[dict[str, Any]]]) -> None:
        report = self.service.report(number)
        if report is not None:
            self.provider.run_report(report, tries)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_contrary_nights(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with StudioEmulator("acme", reports=0, now=NOW, tls=tls) as emulator:
        if emulator.ca_file is not None:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))

        class Example(Nights):
            service = Service(emulator)

        run_state_machine_as_test(
            Example,
            settings=settings(
                max_examples=EXAMPLES[settings.get_current_profile_name()],
                stateful_step_count=STEPS,
                suppress_health_check=list(HealthCheck),
            ),
        )
