# SPDX-License-Identifier: Apache-2.0
"""The retry policy: which errors fail a task, which are retried, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio import retries
from airflow_provider_studio.client import errors
from airflow_provider_studio.retries import StudioRetryPolicy
from airflow_provider_studio.triggers.events import TriggerError, failure

needs_policies = pytest.mark.skipif(retries.RetryPolicy is object, reason="retry policies came with Airflow 3.3")


def rate_limited(after: float | None) -> errors.StudioRateLimitedError:
    error = errors.StudioRateLimitedError(429, method="GET", path="/api/verify")
    error.retry_after_seconds = after
    return error


@needs_policies
@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (errors.StudioConfigurationError("report is ''"), "fail", None),
        (errors.StudioCapabilityError("not this token"), "fail", None),
        (errors.StudioAuthenticationError(401, method="GET", path="/"), "fail", None),
        (errors.StudioRunCancelledError("cancelled"), "fail", None),
        (errors.StudioRunFailedError("failed"), "default", None),
        (errors.StudioServerError(503, method="GET", path="/"), "default", None),
        (errors.StudioRunTimeoutError("late"), "retry", 1.0),
        (rate_limited(None), "retry", 30.0),
        (rate_limited(7.0), "retry", 7.0),
        (rate_limited(0.0), "retry", 30.0),
        (rate_limited(86_400.0), "retry", 600.0),
        (rate_limited(1e300), "retry", 600.0),
        (rate_limited(float("inf")), "retry", 600.0),
        (TriggerError(failure(rate_limited(7.0))), "retry", 7.0),
        (TriggerError(failure(errors.StudioForbiddenError(403, method="GET", path="/"))), "fail", None),
        (KeyError("somebody else's"), "default", None),
    ],
)
def test_each_error_has_its_decision(error: BaseException, action: str, delay: float | None) -> None:
    decided = StudioRetryPolicy().evaluate(error, 1, 3)
    assert decided.action.value == action
    assert decided.retry_delay == (None if delay is None else timedelta(seconds=delay))


@needs_policies
def test_a_dag_with_it_is_serialized_and_read_back() -> None:
    from airflow.sdk import DAG

    from airflow_provider_studio.operators.reports import StudioRunReportOperator
    from tests.airflow_in_process import START

    with DAG("with_policy", start_date=START, schedule=None) as dag:
        policy: Any = {"retry_policy": StudioRetryPolicy()}
        StudioRunReportOperator(task_id="run", report="0a1b2c3d4e5f", **policy)
    from airflow.serialization.serialized_objects import DagSerialization

    data = DagSerialization.to_dict(dag)
    assert "run" in DagSerialization.from_dict(data).task_dict
    assert isinstance(StudioRetryPolicy.deserialize(StudioRetryPolicy().serialize()), StudioRetryPolicy)


def test_an_airflow_without_retry_policies_says_which_one_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "RetryPolicy", object)
    with pytest.raises(errors.StudioConfigurationError, match=r"needs Airflow 3\.3 or later, and this is 3"):
        StudioRetryPolicy()
