# SPDX-License-Identifier: Apache-2.0
"""The stop switch stops all changes if it is set, or if it is unknown whether it is set."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.secrets_backend import BaseSecretsBackend

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.operators.one_off import StudioArchiveReportsOperator
from airflow_provider_studio.operators.stop_switch import stop_reason
from tests.operators import test_governance_operators, test_operators
from tests.operators.test_governance_operators import changes
from tests.operators.test_operators import RunDag

run = test_operators.run
dead = test_governance_operators.dead


class Down(BaseSecretsBackend):
    """A secrets backend that cannot be reached for Variables. Airflow keeps it as long as the process lives."""

    down = False

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> None:
        return None

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        if self.down:
            raise ConnectionError(f"no route to the vault, which may have {key}")
        return None


@pytest.fixture
def vault_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Down")
    monkeypatch.setattr(Down, "down", True)


def test_a_secrets_backend_that_is_down_stops_everything(
    run: RunDag, emulator: StudioEmulator, dead: str, vault_is_down: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: StudioArchiveReportsOperator(task_id="t", reports=[dead]) and None).state == "failed"
    assert changes(emulator) == []
    assert "the stop switch cannot be read (ConnectionError)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", " ", "{{ params.nothing }}"])
def test_a_switch_without_a_name_stops_everything(run: RunDag, emulator: StudioEmulator, dead: str, name: str) -> None:
    ran = run(
        lambda: (
            StudioArchiveReportsOperator(task_id="t", reports=[dead], stop_variable=name, params={"nothing": ""})
            and None
        )
    )
    assert ran.state == "failed"
    assert changes(emulator) == []


class Comms:
    """The channel of a task to Airflow, in place of the supervisor of a real worker."""

    def __init__(self, error: str) -> None:
        self.error = error

    def send(self, _message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        return ErrorResponse(error=ErrorType(self.error), detail={})


@pytest.mark.parametrize("error", ["API_SERVER_ERROR", "GENERIC_ERROR"])
def test_an_api_server_that_fails_to_answer_is_no_missing_variable(monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    from airflow.sdk.execution_time import task_runner

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(error), raising=False)
    with pytest.raises(RuntimeError, match=error):
        stop_reason("studio_stop")
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms("VARIABLE_NOT_FOUND"))
    assert stop_reason("studio_stop") is None


def test_what_is_set_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time import task_runner

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=lambda _message: None), raising=False)
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", "an audit")
    assert stop_reason("studio_stop") == "the Airflow Variable studio_stop is set"
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", "Off")
    assert stop_reason("studio_stop") is None
