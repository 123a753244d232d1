# SPDX-License-Identifier: Apache-2.0
"""Read the Airflow Variable that stops everything. Not being able to read it stops everything too.

Airflow takes a Variable for one that does not exist if a secrets backend, or its own API server, failed to answer. So
where it says that there is none, each of them is asked once more, and an error counts as one.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Variable

_OFF = {"", "0", "false", "no", "off"}


def stop_reason(name: Any) -> str | None:
    """Return why nothing may be done, or None where the Variable is not set or off.

    :raises Exception: nobody knows whether it is set.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"stop_variable is {name!r}; it must name an Airflow Variable, which need not exist")
    value = Variable.get(name, default=None)
    if value is None:
        _check_missing(name)
        return None
    text = str(value).strip()
    return None if text.casefold() in _OFF else f"the Airflow Variable {name} is {text!r}"


def _check_missing(name: str) -> None:
    """Make sure that no backend has the Variable, as opposed to being unable to answer."""
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    except ImportError:  # Airflow has moved it; what it said of the Variable is all that can be known
        return
    for backend in ensure_secrets_backend_loaded():
        if type(backend).__name__ == "ExecutionAPISecretsBackend":
            _check_missing_in_airflow(name)
        else:
            backend.get_variable(key=name)


def _check_missing_in_airflow(name: str) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable

    try:
        response = task_runner.SUPERVISOR_COMMS.send(GetVariable(key=name))
    except AirflowRuntimeError as error:
        response = error.error
    if isinstance(response, ErrorResponse) and response.error is not ErrorType.VARIABLE_NOT_FOUND:
        raise RuntimeError(f"Airflow's API server answered {response.error.value} to the question for {name}")
