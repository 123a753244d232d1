# SPDX-License-Identifier: Apache-2.0
"""Links from a task in Airflow's UI to its Report and Report run in Studio.

A link is an XCom, pushed as soon as the URL is known, so that a running task already has it. The URL comes from Studio,
and anyone who writes a DAG may write an XCom, so both are checked: the UI would run a `javascript:` URL.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_studio.client.plain_text import web_address

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)


class _StudioLink(BaseOperatorLink):
    """Reads the URL that the operator pushed; never raises and needs no connection."""

    @classmethod
    def persist(cls, context: Context, url: str | None) -> None:
        """Push the URL for the UI, if it is one that a page may link to."""
        if web_address(url):
            context["ti"].xcom_push(key=f"_link_{cls.__name__}", value=url)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Return the URL, or an empty text."""
        try:
            return web_address(XCom.get_value(key=self.xcom_key, ti_key=ti_key)) or ""
        except Exception:
            log.debug("No link %s", self.xcom_key, exc_info=True)
            return ""


class StudioReportLink(_StudioLink):
    """Opens the Report."""

    name = "Studio Report"


class StudioReportRunLink(_StudioLink):
    """Opens the Report run."""

    name = "Studio run"
