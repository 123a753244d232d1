# SPDX-License-Identifier: Apache-2.0
"""Ledgers in Redis, for all hosts. Times are of Redis' clock, so wrong clocks of hosts do not matter.

The ledger is read with the time, changed here, and written unless another caller wrote it meanwhile; then it is read
again. A token's callers make a dozen changes per second, so conflicts are rare.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit.ledger import Ledger
from airflow_provider_studio.client.ratelimit.stores import LedgerStore, StoreUnavailableError

_TIMEOUT_SECONDS = 2.0
_RETRIES = 3
_MAX_CONFLICTS = 200
_EXPIRY_SECONDS = 3600
_LONGEST_STORED_PAUSE_SECONDS = 86_400.0

_READ = """
local time = redis.call('TIME')
return {time[1], time[2], redis.call('GET', KEYS[1])}
"""
# A writer that was stopped after its read would stamp a send in the past; it must read again.
_WRITE = """
local time = redis.call('TIME')
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or time[1] + time[2] / 1e6 - ARGV[3] > 0.05 then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
return 1
"""

_NO_TEXT = "\N{REPLACEMENT CHARACTER}"
"""The replacement of bytes that are not UTF-8; a ledger is plain ASCII."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class RedisStore(LedgerStore):
    """Ledgers in a Redis that all hosts reach.

    :param url: `redis://` or `rediss://`, with credentials and a database number where they are needed.
    :raises StudioConfigurationError: redis-py is not installed, or does not accept the URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        try:
            import redis
            from redis.backoff import ExponentialBackoff
            from redis.retry import Retry
        except ImportError:
            raise StudioConfigurationError(
                "rate_limit_url names a Redis, but redis-py is not installed. "
                "Run pip install 'airflow-provider-studio[redis]' wherever tasks run."
            ) from None
        self._errors = redis.exceptions
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES),
                decode_responses=True,
                encoding_errors="replace",  # damaged text is replaced below, not raised here
            )
        except (TypeError, ValueError):  # their texts have parts of the URL
            raise StudioConfigurationError(
                "rate_limit_url is a Redis with an option or a port that redis-py does not accept. Its value is not "
                "shown, because it may hold a password."
            ) from None
        self._read = self._redis.register_script(_READ)  # loads itself again after a restart or a flush
        self._write = self._redis.register_script(_WRITE)

    def with_ledger(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Change the key's ledger; repeat the change if another caller wrote it meanwhile."""
        name = f"studio:ratelimit:{key}"
        try:
            for _ in range(_MAX_CONFLICTS):
                done, result = self._once(key, name, change)
                if done:
                    return result
        except self._errors.AuthenticationError:
            raise StudioConfigurationError(
                "The Redis of rate_limit_url refuses the credentials in it, or requires some."
            ) from None
        except self._errors.RedisError as error:
            raise StoreUnavailableError(f"the Redis of rate_limit_url: {type(error).__name__}") from None
        raise StoreUnavailableError("the Redis of rate_limit_url: too many writers at once")

    def _once(self, key: str, name: str, change: Callable[[Ledger, float], T]) -> tuple[bool, T]:
        seconds, micros, text = self._read_text(name)
        now = int(seconds) + int(micros) / 1e6
        ledger = self._loaded(key, text)
        result = change(ledger, now)
        changed = ledger.dumps()
        if changed == text:
            return True, result
        paused = min(max(0.0, ledger.paused_until - now), _LONGEST_STORED_PAUSE_SECONDS)
        expiry = _EXPIRY_SECONDS + int(paused)
        return bool(self._write(keys=[name], args=[text or "", changed, now, expiry])), result

    def _read_text(self, name: str) -> tuple[int, int, str | None]:
        """Return Redis' time and the text under a name; a value that is no text is deleted."""
        try:
            seconds, micros, text = self._read(keys=[name])
        except self._errors.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
        else:
            if text is None or _NO_TEXT not in text:
                return seconds, micros, text
        log.warning("The rate limit's ledger in Redis is no text. A new one replaces it.")
        self._redis.delete(name)
        seconds, micros, text = self._read(keys=[name])
        return seconds, micros, text
