# SPDX-License-Identifier: Apache-2.0
"""The store of a URL.

No message shows any part of the URL: what looks like its host or port may be a part of a password.
"""

from __future__ import annotations

import re
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
_REDIS = re.compile(
    r"rediss?://"
    r"(?:[^/?#@\[\]\s]*@)?"  # user and password
    r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?"  # host and port
    r"(?:/\d*)?(?:\?[^#@\s]*)?",  # database and options
    re.ASCII,
)
_FORMS = "sqlite:////an/absolute/path.db, redis://:password@host:6379/0, rediss://… or memory://"


def store_from_url(url: str, *, local: Path) -> SlotStore:
    """Return the store of a URL, with its fallback.

    :param url: `sqlite:////an/absolute/path.db`, `redis://…`, `rediss://…` or `memory://`.
    :param local: the SQLite file that is the fallback of Redis.
    :raises StudioConfigurationError: an unknown scheme, a path that is not absolute, or a Redis whose URL is ambiguous.
    """
    scheme = url.partition(":")[0]
    if scheme == "memory":
        return MemoryStore()
    if scheme == "sqlite":
        return _of_host(_checked_path(url))
    if scheme in {"redis", "rediss"}:
        from airflow_provider_studio.client.ratelimit.redis import RedisStore

        return FallbackStore(RedisStore(_checked_redis(url)), _of_host(local), parts=_HOSTS)
    raise StudioConfigurationError(
        f"rate_limit_url is of no known kind; it must be {_FORMS}. Its value may hold a password and is not shown."
    )


def _checked_path(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path.removeprefix("/")))
    if parts.netloc or not path.is_absolute():
        raise StudioConfigurationError(
            "rate_limit_url is a SQLite file, but its path is not absolute: write four slashes, as in "
            "sqlite:////var/lib/airflow/ratelimit.db."
        )
    return path


def _checked_redis(url: str) -> str:
    """Return the URL of a Redis if it can be read in one way only.

    With an unencoded `/` in its password, `redis://:12/34@redis.example.com` would connect to the host of this machine.
    """
    if not _REDIS.fullmatch(url):
        raise StudioConfigurationError(
            "rate_limit_url is a Redis, but not of the form redis://user:password@host:port/database. Percent-encode "
            "special characters of the password: %2F for /, %3F for ?, %23 for #, %40 for @, %5B for [, %5D for ]. Its "
            "value is not shown, because it may hold a password."
        )
    return url


def _of_host(path: Path) -> SlotStore:
    return FallbackStore(SQLiteStore(path), MemoryStore(), parts=_PROCESSES)
