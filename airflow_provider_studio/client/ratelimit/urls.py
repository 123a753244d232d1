# SPDX-License-Identifier: Apache-2.0
"""The store of a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit.fallback import FallbackStore
from airflow_provider_studio.client.ratelimit.sqlite import SQLiteStore
from airflow_provider_studio.client.ratelimit.stores import MemoryStore, SlotStore

_HOSTS = 4
"""The number of shares of the budget while Redis is down, one per host; more hosts may get 429s."""
_PROCESSES = 8
"""The same for the processes of a host whose file is unusable."""


def store_from_url(url: str, *, local: Path) -> SlotStore:
    """Return the store of a URL, with its fallback.

    :param url: `sqlite:////an/absolute/path.db`, `redis://…`, `rediss://…` or `memory://`.
    :param local: the SQLite file that is the fallback of Redis.
    :raises StudioConfigurationError: an unknown scheme, or a path that is not absolute.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryStore()
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path.removeprefix("/")))
        if parts.netloc or not path.is_absolute():
            raise StudioConfigurationError(
                f"rate_limit_url is {url!r}; the path must be absolute, with four slashes: sqlite:////var/lib/…"
            )
        return _of_host(path)
    if parts.scheme in {"redis", "rediss"}:
        from airflow_provider_studio.client.ratelimit.redis import RedisStore

        return FallbackStore(RedisStore(url), _of_host(local), parts=_HOSTS)
    raise StudioConfigurationError(
        f"rate_limit_url has the scheme {parts.scheme!r}; it must be sqlite:////an/absolute/path.db, "
        "redis://host:6379/0, rediss://… or memory://."
    )


def _of_host(path: Path) -> SlotStore:
    return FallbackStore(SQLiteStore(path), MemoryStore(), parts=_PROCESSES)
