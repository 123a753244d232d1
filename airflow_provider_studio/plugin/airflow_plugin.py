# SPDX-License-Identifier: Apache-2.0
"""The plugin that Airflow loads in every process: the places of the pages in the UI, and an app that is created later.

Schedulers and workers load plugins too, so nothing heavy is imported before the first request to the API server. URLs
are relative: the UI's `<base>` puts the path of `[api] base_url` before them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "/studio"
_ICON = "studio/static/icon.svg"
_ICON_DARK = "studio/static/icon-dark.svg"


class LazyApp:
    """An ASGI app that creates the real one on the first request."""

    @cached_property
    def app(self) -> FastAPI:
        """The real app."""
        from airflow_provider_studio.plugin.app import create_app

        return create_app()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on."""
        await self.app(scope, receive, send)


class StudioPlugin(AirflowPlugin):
    """The pages of the provider."""

    name = "studio"
    fastapi_apps: list[Any] = [  # noqa: RUF012  Airflow declares them as lists
        {"app": LazyApp(), "url_prefix": PREFIX, "name": "Studio"}
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Studio",
            "href": "studio/",
            "destination": "nav",
            "url_route": "studio",
            "nav_top_level": True,
            "icon": _ICON,
            "icon_dark_mode": _ICON_DARK,
        },
        {
            "name": "Studio",
            "href": "studio/dag-runs/{DAG_ID}/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "studio_run",
            "icon": _ICON,
            "icon_dark_mode": _ICON_DARK,
        },
        {
            "name": "Studio",
            "href": "studio/dags/{DAG_ID}",
            "destination": "dag",
            "url_route": "studio_dag",
            "icon": _ICON,
            "icon_dark_mode": _ICON_DARK,
        },
        {
            "name": "Studio",
            "href": "studio/task-instances/{DAG_ID}/{TASK_ID}/{RUN_ID}",
            "destination": "task_instance",
            "url_route": "studio_task",
            "icon": _ICON,
            "icon_dark_mode": _ICON_DARK,
        },
    ]
