# SPDX-License-Identifier: Apache-2.0
"""Read the Airflow Variable that stops all changes. If it cannot be read, all changes stop as well.

Airflow reports a Variable as missing if a secrets backend, or its own API server, failed to respond. So a missing
Variable is read again from each of them, and an error of any of them is an error here.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Variable

STOP_VARIABLE = "studio_stop"
"""The Variable of operators that name no other."""
_OFF = {"", "0", "false", "no", "off"}


def stop_reason(name: Any) -> str | None:
    """Return why nothing may be changed, or None where the Variable is not set or off.

    The reason does not have the Variable's value: it goes into logs and journals, and a Variable may be a secret.

    :raises Exception: it is unknown whether the Variable is set.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"stop_variable is {name!r}; it must name an Airflow Variable, which need not exist")
    value = Variable.get(name, default=None)
    if value is None:
        _check_missing(name)
        return None
    text = str(value).strip()
    return None if text.casefold() in _OFF else f"the Airflow Variable {name} is set"


def _check_missing(name: str) -> None:
    """Raise unless every backend responds that it does not have the Variable."""
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    except ImportError:  # Airflow has moved it; then its first response is all that is known
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
        raise RuntimeError(f"Airflow's API server answered {response.error.value} to the request for {name}")
