# SPDX-License-Identifier: Apache-2.0
"""Airflow connections to an emulator; the import has no side effects, so benchmarks can use it too."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_studio.emulator import StudioEmulator


def connection_fields(emulator: StudioEmulator) -> dict[str, Any]:
    """Return the standard fields of a connection to an emulator."""
    token, secret = emulator.credentials()
    fields = {"conn_type": "studio", "host": emulator.url, "schema": emulator.workspace}
    return {**fields, "login": token, "password": secret}


def connection_of(emulator: StudioEmulator, **extra: Any) -> str:
    """Return an Airflow connection to an emulator, in the format of `AIRFLOW_CONN_…`."""
    return json.dumps({**connection_fields(emulator), "extra": {"credential_kind": "workspace", **extra}})
