# SPDX-License-Identifier: Apache-2.0
"""A task instance without Airflow, for tests that call an operator or a sensor directly."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any


class TaskStore:
    """Replaces Airflow 3.3's task store, which only the supervisor of a task can access."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        return json.loads(self._values[key]) if key in self._values else None

    def set(self, key: str, value: Any) -> None:
        self._values[key] = json.dumps(value)


class TaskInstance:
    """A task's XComs, and the context of each try.

    :param store: Airflow 3.3's store of the task's values; None for an older Airflow.
    :param names: attributes of the task instance that replace the defaults, such as `task_id`.
    """

    def __init__(self, *, store: TaskStore | None = None, **names: Any) -> None:
        self.store = store
        self.xcoms: dict[str, Any] = {}
        self.clears = 0
        self.names = {"dag_id": "d", "run_id": "r", "task_id": "run", "map_index": -1, **names}

    def context_of(self, others: dict[str, Any] | None = None, **values: Any) -> Any:
        """Return the context of a try.

        :param others: further entries of the context.
        :param values: further attributes of the task instance.
        """
        ti = SimpleNamespace(xcom_push=self._push, xcom_pull=lambda **_options: None, **self.names, **values)
        found = {"ti": ti, "dag_run": SimpleNamespace(clear_number=self.clears), **(others or {})}
        return found if self.store is None else {**found, "task_state_store": self.store}

    def _push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value
