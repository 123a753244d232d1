# SPDX-License-Identifier: Apache-2.0
"""The base of all endpoint methods: the connection, the token's kind, paths, and how a response is read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import Credentials, TokenKind, check_identifier, kind_of
from airflow_provider_studio.client.completeness import ListingCaution, is_a_part
from airflow_provider_studio.client.errors import (
    StudioCapabilityError,
    StudioConfigurationError,
    StudioForbiddenError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.client.identity import check_listing, check_resource
from airflow_provider_studio.client.pagination import embedded, iterate_rows, name_of, rows_of
from airflow_provider_studio.client.permissions import Permissions
from airflow_provider_studio.client.ratelimit import Priority, RateLimiter
from airflow_provider_studio.client.response_limits import MAX_DOWNLOAD_MB, MAX_RESPONSE_MB
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.client.transport import Sent, Spending, Transport

log = logging.getLogger(__name__)

_SAME_CLOCK = timedelta(minutes=1)
ResourceT = TypeVar("ResourceT", bound=models.Resource)
_USE_PAGE = {"spaces", "reports", "report_schedules", "report_runs", "groups"}
"""The keys of listings that use `page`, as client authors saw; some others return all rows on each page."""


class StudioClientBase:
    """The connection of a `StudioClient`, which documents the parameters."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        limiter: RateLimiter,
        timeout_seconds: float = 30.0,
        retries: RetryPolicy | None = None,
        priority: Priority = Priority.CRAWL,
        sleep: Callable[[float], None] = time.sleep,
        on_sent: Callable[[Sent], None] | None = None,
        max_response_mb: float = MAX_RESPONSE_MB,
        max_download_mb: float = MAX_DOWNLOAD_MB,
        permissions: Callable[[], Permissions] = Permissions,
    ) -> None:
        self.workspace = credentials.workspace
        self.host = credentials.host
        self._kind = credentials.kind
        self._priority = priority
        self._caution = ListingCaution()
        self._permissions = permissions
        self.sleep = sleep
        self._transport = Transport(
            credentials,
            limiter,
            timeout_seconds=timeout_seconds,
            retries=retries,
            sleep=sleep,
            on_sent=on_sent,
            max_response_mb=max_response_mb,
            max_download_mb=max_download_mb,
        )

    @property
    def spending(self) -> Spending:
        """The requests that this client has used so far."""
        return self._transport.spending

    @property
    def last_status(self) -> int | None:
        """HTTP status of this thread's last request; None if there was no response."""
        return self._transport.last_status

    def clock_offset(self, now: datetime) -> timedelta:
        """Return how far Studio's clock is ahead of ours, by this thread's last response; zero if that is unknown.

        Times of Studio minus this offset can be compared with ours. Less than a minute is the time that a response
        takes, and counts as zero.

        :param now: the time by our clock.
        """
        date = self._transport.last_date
        offset = timedelta(0) if date is None else date - now
        return offset if abs(offset) > _SAME_CLOCK else timedelta(0)

    @property
    def declared_kind(self) -> TokenKind | None:
        """The token's kind that the credentials declare, or that was read already."""
        return self._kind

    @property
    def token_kind(self) -> TokenKind:
        """The token's kind: declared, or read with one request."""
        if self._kind is None:
            self._kind = self._kind_in(self.verify())
        return self._kind

    def with_priority(self, priority: Priority) -> Self:
        """Return a client with another priority that shares connections and counters with this one."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._priority = priority
        return other

    @property
    def proxy(self) -> str | None:
        """Scheme, host and port of the proxy that the last request went through; None without one."""
        return self._transport.proxy

    def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Exchange:
        """Send a request to an absolute path, and return the whole response whatever its status.

        For code that examines the service itself; the caller has checked each name in the path.

        :raises StudioCapabilityError: it changes something, and the deployment permits only GET.
        """
        self._permissions().check_request(method, path)
        return self._transport.exchange(method, path, query=query, body=body, priority=self._priority)

    def with_caution(self, caution: ListingCaution) -> Self:
        """Return a client that reads listings with a caution, and shares connections and counters with this one."""
        other = self.with_priority(self._priority)
        other._caution = caution
        return other

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # Identity

    def verify(self) -> models.Verification:
        """Read which workspace the credentials open; the cheapest check of credentials.

        :raises StudioConfigurationError: the credentials open a workspace other than the configured one.
        """
        verification = models.Verification.parse(self._get("/api/verify"), what="/api/verify")
        if verification.workspace != self.workspace:
            raise StudioConfigurationError(
                f"workspace is {self.workspace!r}, but this token opens {verification.workspace!r}; "
                "correct the connection's workspace or use a token of that workspace."
            )
        return verification

    @staticmethod
    def _kind_in(verification: models.Verification) -> TokenKind:
        return kind_of(verification.api_key_scope, verification.link("self"))

    # Paths, and how a response is read

    @contextmanager
    def _as_its_member_may(self, doing: str) -> Iterator[None]:
        """Explain a refusal of a Member token, which has its member's rights; Studio responds with 403 or 404."""
        try:
            yield
        except (StudioForbiddenError, StudioNotFoundError) as error:
            if self._kind is not TokenKind.MEMBER:
                raise
            raise StudioCapabilityError(
                f"This Member token may not {doing}, or it does not exist: it has the rights of the member who made it "
                f"({error}) Let that member edit it in Studio, or use a Workspace token."
            ) from None

    def _collection(self, token: str) -> str:
        return f"/api/{self.workspace}/spaces/{check_identifier('collection', token)}"

    def _report(self, token: str) -> str:
        return f"/api/{self.workspace}/reports/{check_identifier('report', token)}"

    def _run(self, report: str, token: str) -> str:
        return f"{self._report(report)}/runs/{check_identifier('run', token)}"

    def _schedule(self, report: str, token: str) -> str:
        return f"{self._report(report)}/schedules/{check_identifier('schedule', token)}"

    def _own_path(self, href: str | None) -> str | None:
        """Return the path of a link that stays in this workspace's API; None for any other."""
        if href is None:
            return None
        parts = urlsplit(href)
        if f"{parts.scheme}://{parts.netloc}" not in {"://", self.host}:
            return None
        root, path = f"/api/{self.workspace}/", parts.path
        is_inside = path.startswith(root) and not {".", ".."} & set(unquote(path).split("/"))
        return urlunsplit(("", "", path, parts.query, "")) if is_inside else None

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        return self._transport.request("GET", path, query=query, priority=self._priority)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._transport.request(method, path, body=body, priority=self._priority)

    @contextmanager
    def _download(self, path: str, chunk_bytes: int) -> Iterator[tuple[str, Iterator[bytes]]]:
        with self._transport.stream(path, chunk_bytes, priority=self._priority) as response:
            yield response

    def _read(self, model: type[ResourceT], path: str, *, what: str, token: str) -> ResourceT:
        """Read one resource.

        :raises StudioWrongResourceError: the response is that of another one.
        """
        return _identified(model.parse(self._get(path), what=what), token, what=what)

    def _change(
        self,
        model: type[ResourceT],
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        what: str,
        token: str,
    ) -> ResourceT:
        """Change one resource with a PATCH, and return it as the response describes it.

        :raises StudioWrongResourceError: the response is that of another one; the change may have been made.
        """
        return _identified(model.parse(self._send("PATCH", path, body), what=what), token, what=what)

    def _get_page(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Read a page of a listing.

        :raises StudioWrongResourceError: it is a page of another resource's listing.
        """
        page = self._get(path, query)
        check_listing(page, path, what=f"GET {path}")
        return page

    def _list(self, path: str, key: str, model: type[ResourceT], *, counted: int | None = None) -> Iterator[ResourceT]:
        rows = self._rows(path, key, tokens="token" in model.model_fields, counted=counted)
        return (model.parse(row, what=f"GET {path}, {name_of(row) or 'a row'}") for row in rows)

    def _first_page(self, path: str, key: str, model: type[ResourceT]) -> list[ResourceT]:
        """Read the first page of a listing, with one request."""
        rows = rows_of(self._get_page(path), key, what=f"GET {path}")
        return [model.parse(row, what=f"GET {path}, {row['token']}") for row in rows]

    def _whole_list(self, path: str, key: str, model: type[ResourceT]) -> list[ResourceT]:
        """Read a listing that is not paged, and whose rows nothing may distinguish, with one request.

        :raises StudioResponseError: the response calls itself one page of several: the others are unknown.
        """
        page = self._get_page(path)
        rows = embedded(page, key, what=f"GET {path}")
        if is_a_part(page.get("pagination"), len(rows)):
            raise StudioResponseError(
                f"GET {path} returned {len(rows):,} {key} and calls that a part; the others are unknown."
            )
        return [model.parse(row, what=f"GET {path}") for row in rows]

    def _rows(
        self,
        path: str,
        key: str,
        query: Mapping[str, str | int] | None = None,
        *,
        tokens: bool,
        counted: int | None = None,
        report_doubt: Callable[[str], None] = log.warning,
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a listing.

        :param tokens: whether a resource of this kind always has a token.
        :param counted: how many rows another resource counts.
        :param report_doubt: receives a sentence if rows may be missing.
        """
        return iterate_rows(
            lambda page: self._get_page(path, {**(query or {}), "page": page}),
            key,
            what=f"GET {path}",
            tokens=tokens,
            may_ignore_page=key not in _USE_PAGE,
            counted=counted,
            caution=self._caution,
            report_doubt=report_doubt,
        )


def _identified(resource: ResourceT, token: str, *, what: str) -> ResourceT:
    check_resource(resource, token, what=what)
    return resource
