# SPDX-License-Identifier: Apache-2.0
"""The Discovery API: a whole workspace in batches of 1,000, for a signature token that an admin mints.

It is for the Enterprise plan, answers plain JSON with counters, and is the only one of Studio's APIs that dates views.
Source: the vendor's reference of the Discovery API.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_studio.client.auth import DEFAULT_HOST, Credentials, check_identifier
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioResponseError
from airflow_provider_studio.client.pagination import MOST_PAGES
from airflow_provider_studio.client.ratelimit import Priority, RateLimiter
from airflow_provider_studio.client.transport import RetryPolicy, Sent, Spending, Transport

Batch = Literal["reports", "report_stats", "spaces", "members"]
MOST_A_PAGE = 1000
_FIELDS = ("token", "access_key", "access_secret")


@dataclass(frozen=True)
class SignatureToken:
    """What opens the Discovery API; all three parts were shown when it was minted, the secret only then.

    :raises StudioConfigurationError: a part is missing, or holds a colon.
    """

    token: str
    access_key: str = field(repr=False)
    access_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in _FIELDS:
            value = getattr(self, name)
            if not value or ":" in value:
                raise StudioConfigurationError(
                    f"discovery_{name} is {'empty' if not value else 'not usable: it holds a colon'}; all of "
                    f"{', '.join(f'discovery_{one}' for one in _FIELDS)} are needed, as Studio showed them."
                )

    @property
    def bearer(self) -> str:
        """The value of the Authorization header."""
        return base64.b64encode(f"{self.token}:{self.access_key}:{self.access_secret}".encode()).decode()


class DiscoveryClient:
    """Reads batches of one workspace.

    :param signature: what opens it.
    :param limiter: the budget that everyone using this signature token shares.
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
    ) -> None:
        self.workspace = check_identifier("workspace", workspace)
        credentials = Credentials(workspace, signature.token, signature.access_secret, host)
        self._transport = Transport(
            credentials,
            limiter,
            timeout_seconds=timeout_seconds,
            retries=retries,
            sleep=sleep,
            on_sent=on_sent,
            bearer=signature.bearer,
        )

    @property
    def spending(self) -> Spending:
        """What this client has spent so far."""
        return self._transport.spending

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def batches(self, name: Batch, *, include_personal: bool = False) -> Iterator[list[dict[str, Any]]]:
        """Yield a listing's rows, up to 1,000 at a time.

        :param include_personal: what is in members' personal Collections too.
        :raises StudioResponseError: an answer without its rows or its counters; the end cannot be guessed.
        """
        path = f"/batch/{self.workspace}/{name}"
        query: dict[str, str | int] = {"per_page": MOST_A_PAGE}
        if include_personal:
            query["include_spaces"] = "all"
        for page in range(1, MOST_PAGES + 1):
            answer = self._transport.request("GET", path, query={**query, "page": page}, priority=Priority.WALK)
            rows, counters = answer.get(name), answer.get("pagination")
            total = counters.get("total_pages") if isinstance(counters, dict) else None
            if not isinstance(rows, list) or not isinstance(total, int):
                raise StudioResponseError(f"GET {path}, page {page}: the answer has no list {name} with its counters.")
            yield rows
            if page >= total:
                return
        raise StudioResponseError(f"GET {path} did not end within {MOST_PAGES:,} pages.")
