# SPDX-License-Identifier: Apache-2.0
"""Ledgers in Redis, for all hosts. The clock is Redis' own, so hosts whose clocks are off do no harm.

The ledger is read with the time, changed here, and written if nobody else wrote it meanwhile; else it is read again. A
token's callers make a dozen changes a second, so they rarely meet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit.ledger import Ledger
from airflow_provider_studio.client.ratelimit.stores import LedgerStore, StoreUnavailableError

_TIMEOUT_SECONDS = 2.0
_RETRIES = 3
_MOST_MEETINGS = 200
_FORGET_AFTER_SECONDS = 3600
_LONGEST_PAUSE_KEPT_SECONDS = 86_400.0

_READ = """
local time = redis.call('TIME')
return {time[1], time[2], redis.call('GET', KEYS[1])}
"""
# A writer that was stopped since it read would stamp a send in the past; it reads again.
_WRITE = """
local time = redis.call('TIME')
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or time[1] + time[2] / 1e6 - ARGV[3] > 0.05 then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
return 1
"""

_NO_TEXT = "\N{REPLACEMENT CHARACTER}"
"""What stands for bytes that are none of UTF-8; a ledger is plain ASCII."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class RedisStore(LedgerStore):
    """Ledgers in a Redis that all hosts reach.

    :param url: `redis://` or `rediss://`, with credentials and a database number where they are needed.
    :raises StudioConfigurationError: redis-py is not installed, or the URL is none.
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
        self._name = urlsplit(url).netloc.rpartition("@")[2]
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES),
                decode_responses=True,
                encoding_errors="replace",  # damaged text is replaced below, not raised here
            )
        except ValueError as error:
            raise StudioConfigurationError(
                f"rate_limit_url for the Redis {self._name} is not usable: {error}"
            ) from None
        self._read = self._redis.register_script(_READ)  # loads itself again after a restart or a flush
        self._write = self._redis.register_script(_WRITE)

    def with_ledger(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Change the key's ledger, again and again until nobody else did meanwhile."""
        name = f"studio:ratelimit:{key}"
        try:
            for _ in range(_MOST_MEETINGS):
                done, answer = self._once(key, name, change)
                if done:
                    return answer
        except self._errors.AuthenticationError as error:
            raise StudioConfigurationError(
                f"The Redis {self._name} of rate_limit_url refuses the credentials in it ({error})."
            ) from None
        except self._errors.RedisError as error:
            raise StoreUnavailableError(f"Redis {self._name}: {type(error).__name__}") from None
        raise StoreUnavailableError(f"Redis {self._name}: too many writers at once")

    def _once(self, key: str, name: str, change: Callable[[Ledger, float], T]) -> tuple[bool, T]:
        seconds, micros, text = self._read_text(name)
        now = int(seconds) + int(micros) / 1e6
        ledger = self._loaded(key, text)
        answer = change(ledger, now)
        changed = ledger.dumps()
        if changed == text:
            return True, answer
        paused = min(max(0.0, ledger.paused_until - now), _LONGEST_PAUSE_KEPT_SECONDS)
        forget_after = _FORGET_AFTER_SECONDS + int(paused)
        return bool(self._write(keys=[name], args=[text or "", changed, now, forget_after])), answer

    def _read_text(self, name: str) -> tuple[int, int, str | None]:
        """Return Redis' time and what it holds under a name; what cannot be a ledger's text is removed."""
        try:
            seconds, micros, text = self._read(keys=[name])
        except self._errors.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
        else:
            if text is None or _NO_TEXT not in text:
                return seconds, micros, text
        log.warning("The rate limit's ledger in Redis %s is no text. A new one replaces it.", self._name)
        self._redis.delete(name)
        seconds, micros, text = self._read(keys=[name])
        return seconds, micros, text
