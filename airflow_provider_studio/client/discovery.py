# SPDX-License-Identifier: Apache-2.0
"""The Discovery API: a whole workspace in batches of 1,000, for a signature token that an admin creates.

It needs the Enterprise plan, returns plain JSON with counters, and is the only API of Studio with dates of views.
Source: the vendor's reference of the Discovery API.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from airflow_provider_studio.client.auth import Credentials, check_identifier
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioResponseError
from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.client.host import DEFAULT_HOST
from airflow_provider_studio.client.pagination import MAX_PAGES
from airflow_provider_studio.client.ratelimit import Priority, RateLimiter
from airflow_provider_studio.client.response_limits import MAX_RESPONSE_MB
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.client.transport import Sent, Spending, Transport

Batch = Literal["reports", "report_stats", "queries", "charts", "spaces", "members"]
MAX_PAGE_SIZE = 1000
_NAMES: dict[Batch, str] = {
    "reports": "token",
    "report_stats": "report_token",
    "queries": "token",
    "charts": "token",
    "spaces": "token",
    "members": "token",
}
"""The key of a row with the token that names it; everything else may be missing."""
_FIELDS = ("token", "access_key", "access_secret")


@dataclass(frozen=True)
class SignatureToken:
    """The credentials of the Discovery API. Studio shows all three parts at their creation, the secret only then.

    :raises StudioConfigurationError: a part is missing, or contains a colon.
    """

    token: str
    access_key: str = field(repr=False)
    access_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in _FIELDS:
            value = getattr(self, name)
            if not value or ":" in value:
                raise StudioConfigurationError(
                    f"discovery_{name} is {'empty' if not value else 'not usable: it contains a colon'}; all of "
                    f"{', '.join(f'discovery_{field}' for field in _FIELDS)} are needed, as Studio showed them."
                )

    @property
    def bearer(self) -> str:
        """The value of the Authorization header."""
        return base64.b64encode(f"{self.token}:{self.access_key}:{self.access_secret}".encode()).decode()


class DiscoveryClient:
    """Reads batches of one workspace.

    :param signature: the credentials.
    :param limiter: the budget that all users of this signature token share.
    """

    def __init__(
        self,
        workspace: str,
        signature: SignatureToken,
        *,
        limiter: RateLimiter,
        host: str = DEFAULT_HOST,
        timeout_seconds: float = 60.0,
        retries: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_sent: Callable[[Sent], None] | None = None,
        max_response_mb: float = MAX_RESPONSE_MB,
    ) -> None:
        self.workspace = check_identifier("workspace", workspace)
        credentials = Credentials(workspace, signature.token, signature.access_secret, host)
        self._host = credentials.host
        self._transport = Transport(
            credentials,
            limiter,
            timeout_seconds=timeout_seconds,
            retries=retries,
            sleep=sleep,
            on_sent=on_sent,
            bearer=signature.bearer,
            secrets=(signature.access_key,),
            max_response_mb=max_response_mb,
        )

    @property
    def spending(self) -> Spending:
        """The requests that this client has used so far."""
        return self._transport.spending

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def report_page(self, report: str) -> str:
        """Return the URL of a Report's page; `report_url` in a row is the path of the API."""
        return f"{self._host}/{self.workspace}/reports/{quote(report, safe='')}"

    def exchange(self, name: Batch) -> Exchange:
        """Read the first page of a listing, and return the whole response whatever its status."""
        path = f"/batch/{self.workspace}/{name}"
        return self._transport.exchange("GET", path, query={"per_page": MAX_PAGE_SIZE, "page": 1})

    def batches(self, name: Batch, *, include_personal: bool = False) -> Iterator[list[dict[str, Any]]]:
        """Yield a listing's rows, up to 1,000 at a time.

        :param include_personal: whether to include members' personal Collections.
        :raises StudioResponseError: a response without its rows, a row without the token that names it, or a response
            without its counters: the end is then unknown.
        """
        path = f"/batch/{self.workspace}/{name}"
        query: dict[str, str | int] = {"per_page": MAX_PAGE_SIZE}
        if include_personal:
            query["include_spaces"] = "all"
        for page in range(1, MAX_PAGES + 1):
            response = self._transport.request("GET", path, query={**query, "page": page}, priority=Priority.CRAWL)
            what = f"GET {path}, page {page}"
            yield _rows(response, name, what)
            if page >= _total_pages(response, what):
                return
        raise StudioResponseError(f"GET {path} did not end within {MAX_PAGES:,} pages.")


def _rows(response: Mapping[str, Any], name: Batch, what: str) -> list[dict[str, Any]]:
    rows, key = response.get(name), _NAMES[name]
    if not isinstance(rows, list):
        raise StudioResponseError(f"{what}: the response has no list {name}.")
    if not all(isinstance(row, dict) and isinstance(row.get(key), str) for row in rows):
        raise StudioResponseError(f"{what}: a row has no {key}.")
    return rows


def _total_pages(response: Mapping[str, Any], what: str) -> int:
    counters = response.get("pagination")
    total = counters.get("total_pages") if isinstance(counters, dict) else None
    if not isinstance(total, int) or isinstance(total, bool):
        raise StudioResponseError(f"{what}: the response has no whole number pagination.total_pages.")
    return total
