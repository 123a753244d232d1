# SPDX-License-Identifier: Apache-2.0
"""The asset events that tasks emit: one event for each asset, whichever outlets a task names itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_studio.assets import create_asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_studio.triggers.events import RunEvent

INVENTORY = AssetAlias("studio_inventory")
"""Gets an event for `studio://<workspace>/inventory` with each snapshot's summary."""
REPORTS = AssetAlias("studio_reports")
"""Gets an event for `studio://<workspace>/reports/<token>` with each successful run."""


def add_outlet(task: BaseOperator, alias: AssetAlias) -> None:
    """Add the alias of a task's events to its outlets, which `outlets=` or `default_args` set; call it at the end of
    `__init__`."""
    if alias not in task.outlets:
        task.outlets = [*task.outlets, alias]


def emit_event(task: BaseOperator, context: Context, alias: AssetAlias, asset: Asset, extra: dict[str, Any]) -> None:
    """Emit the event of an asset.

    Airflow identifies an asset by its name *and* its URI. An outlet with this URI gets the extra, because Airflow emits
    its event when the task succeeds. The alias emits the event of the asset itself, unless that is among the outlets:
    it would get two events.

    :param asset: as `create_asset` returns it: its name is its URI.
    """
    own = [outlet for outlet in task.outlets if isinstance(outlet, Asset) and outlet.uri == asset.uri]
    for outlet in own:
        context["outlet_events"][outlet].extra.update(extra)
    if asset.name not in {outlet.name for outlet in own}:
        context["outlet_events"][alias].add(asset, extra=extra)


def emit_run_event(task: BaseOperator, context: Context, workspace: str, run: RunEvent) -> None:
    """Emit the event of a Report's asset with its successful run: run, state, times and URL."""
    extra: dict[str, Any] = {name: value for name, value in run.items() if name not in {"report", "exports"}}
    emit_event(task, context, REPORTS, create_asset(workspace=workspace, report=run["report"]), extra)
