# SPDX-License-Identifier: Apache-2.0
"""The options of Airflow's `[studio]` section."""

from __future__ import annotations

import pytest

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError


@pytest.mark.parametrize("root", ["studio", "./studio", "file://studio"])
def test_a_storage_that_depends_on_the_working_directory_is_refused(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", root)
    with pytest.raises(StudioConfigurationError, match=f"'{root}'.* relative to the working directory.*storage_path"):
        settings.storage()


@pytest.mark.parametrize(
    "root", ["~/studio", "file://~/studio", "$HOME/studio", "${HOME}/studio", "file://$HOME/studio"]
)
def test_a_path_is_expanded_wherever_it_is_configured(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somebody")
    assert settings.storage(root).path == "/somebody/studio"
    assert settings.in_storage(f"{root}/a.csv").path == "/somebody/studio/a.csv"
    assert settings.in_storage("a.csv", root).path == "/somebody/studio/a.csv"
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", root)
    assert settings.storage().path == "/somebody/studio"


@pytest.mark.parametrize(
    "path", ["$STUDIO_NOWHERE/studio", "/data/${STUDIO_NOWHERE}", "s3://$STUDIO_NOWHERE/x", "~nobody-at-all/x"]
)
def test_a_path_that_cannot_be_expanded_is_refused(path: str) -> None:
    for resolve in (settings.storage, settings.in_storage):
        with pytest.raises(StudioConfigurationError, match=r"needs the (variable STUDIO_NOWHERE|home folder), which"):
            resolve(path)


def test_the_url_of_the_ledger_is_what_a_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL_CMD", "echo redis://ledger.example.com")
    from airflow_provider_studio.cli.airflow_process import airflow_command

    with airflow_command():
        assert settings.rate_limit_url() == "redis://ledger.example.com"


@pytest.mark.parametrize("option", ["max_response_mb", "max_download_mb"])
def test_the_size_of_a_response_is_a_positive_number(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"AIRFLOW__STUDIO__{option.upper()}"
    monkeypatch.setenv(name, " 2.5 ")
    assert getattr(settings, option)() == 2.5
    for value in ("0", "-1", "nan", "inf", "much"):
        monkeypatch.setenv(name, value)
        with pytest.raises(StudioConfigurationError, match=rf"\[studio\] {option} is '{value}'; it must be"):
            getattr(settings, option)()
