# SPDX-License-Identifier: Apache-2.0
"""Print how to approve the plan while the demo waits: link, login, deadline, and how to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tests.system.live_airflow import LiveAirflow

TASK = "approve"
WAIT = timedelta(hours=1)
_REMIND_SECONDS = 60.0
_WAITING_STATES = {"awaiting_input", "deferred"}
"""The states of a task that waits for input: the first since Airflow 3.3, the second before."""


class ApprovalTimeoutError(RuntimeError):
    """Nobody approved or rejected the plan in time."""


class Approval:
    """Prints what the run waits for.

    :param say: prints a sentence.
    :param clock: a monotonic clock; tests pass their own.
    """

    def __init__(
        self,
        airflow: LiveAirflow,
        dag_id: str,
        run_id: str,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._airflow, self._dag_id, self._run_id = airflow, dag_id, run_id
        self._say = say
        self._clock = clock
        self._waiting_since: float | None = None
        self._said_at = 0.0
        self._until = ""

    @property
    def link(self) -> str:
        """The page of the run's required action."""
        return f"{self._airflow.task_url(self._dag_id, self._run_id, TASK)}/required_actions"

    def waits(self, states: Mapping[str, str | None]) -> bool:
        """Return whether the run waits for a person; print how to approve when the wait starts, and again each minute.

        :raises ApprovalTimeoutError: nobody approved or rejected in time.
        """
        if states.get(TASK) not in _WAITING_STATES or not self._airflow.is_parked(self._dag_id, self._run_id, TASK):
            return False
        now = self._clock()
        if self._waiting_since is None:
            self._waiting_since = self._said_at = now
            self._until = f"{datetime.now().astimezone() + WAIT:%H:%M}"
            self._explain()
        elif now - self._waiting_since > WAIT.total_seconds():
            raise ApprovalTimeoutError(f"nobody approved or rejected the plan until {self._until}; nothing was changed")
        elif now - self._said_at >= _REMIND_SECONDS:
            self._said_at = now
            self._say(f"waiting for your approval until {self._until}: {self.link}")
        return True

    def _explain(self) -> None:
        self._say(
            "The plan needs your approval. Open the link, log in, and choose what to approve.\n"
            f"          link     {self.link}\n"
            f"          login    {self._airflow.user} / {self._airflow.password}\n"
            f"          plan     {self._airflow.studio_url} (the page Studio, under Plans)\n"
            f"          The demo waits until {self._until}, then ends without changes. Ctrl-C ends it immediately."
        )
