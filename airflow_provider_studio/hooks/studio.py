# SPDX-License-Identifier: Apache-2.0
"""StudioHook: opens the client of an Airflow connection, whose requests use the token's shared budget.

Airflow's server does not enforce the schema of the connection form, so all fields are checked here, with errors that
name the connection, the field and how to fix it.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_studio import settings
from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError
from airflow_provider_studio.client.host import base_url
from airflow_provider_studio.client.ratelimit import Budget
from airflow_provider_studio.get_provider_info import CONNECTION_FIELDS, CONNECTION_TYPE, FIELD_BEHAVIOUR, HOOK_NAME
from airflow_provider_studio.hooks.metrics import count
from airflow_provider_studio.telemetry import note_spending, spending_fields

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from upath import UPath

    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.discovery import DiscoveryClient
    from airflow_provider_studio.client.transport import Sent
    from airflow_provider_studio.hooks.usage import SpendingRecorder

__all__ = ["StudioHook"]


class StudioHook(BaseHook):
    """Opens a Studio workspace.

    The connection: login is the token, password the secret, schema the workspace, host the URL of Studio (by default
    `https://app.mode.com`); the extras are `token_kind` (workspace, member, personal), `timeout_seconds`,
    `rate_limit_requests` and `rate_limit_seconds`, and `discovery_token`, `discovery_access_key` and
    `discovery_access_secret` of a signature token for the Discovery API.

    :param studio_conn_id: the Airflow connection.
    :param storage_path: the storage root for the record of requests; `[studio] storage_path` by default.
    """

    conn_name_attr = "studio_conn_id"
    default_conn_name = "studio_default"
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, studio_conn_id: str = default_conn_name, *, storage_path: str | None = None) -> None:
        super().__init__()
        self.studio_conn_id = studio_conn_id
        self.storage_path = storage_path
        self._recorder: SpendingRecorder | None = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's custom fields, for Airflow 3.1; later versions read the provider's metadata."""
        from wtforms import PasswordField, StringField

        return {
            name: (PasswordField if field["schema"].get("format") == "password" else StringField)(field["label"])
            for name, field in CONNECTION_FIELDS.items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and hidden fields of the form, for Airflow 3.1; later versions read the provider's metadata."""
        return {key.replace("-", "_"): value for key, value in FIELD_BEHAVIOUR.items()}

    @cached_property
    def client(self) -> StudioClient:
        """The client of the connection's workspace.

        :raises StudioConfigurationError: the connection does not exist, or one of its fields is unusable.
        """
        return self._client_of(self._connection())

    def get_conn(self) -> StudioClient:
        """Return the client; the name is Airflow's convention."""
        return self.client

    async def aget_client(self) -> StudioClient:
        """Return the client in a trigger, without blocking the event loop."""
        from airflow.providers.common.compat.connection import get_async_connection
        from asgiref.sync import sync_to_async

        if "client" not in self.__dict__:
            connection = await get_async_connection(self.studio_conn_id)
            # To mask a secret and to open the storage sends requests to Airflow 3.1's supervisor. They must come
            # from a thread that the event loop knows, or the triggerer ends.
            self.__dict__["client"] = await sync_to_async(self._client_of_trigger)(connection)
        return self.client

    @property
    def has_discovery(self) -> bool:
        """Whether the connection has a signature token for the Discovery API."""
        return bool(self._connection().extra_dejson.get("discovery_token"))

    @cached_property
    def discovery_client(self) -> DiscoveryClient:
        """The client of the Discovery API.

        :raises StudioConfigurationError: the connection has no signature token, or an incomplete one.
        """
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_studio.client.discovery import DiscoveryClient, SignatureToken
        from airflow_provider_studio.client.ratelimit import RateLimiter, store_from_url

        connection = self._connection()
        extra = connection.extra_dejson
        names = ("token", "access_key", "access_secret")
        parts = {name: str(extra.get(f"discovery_{name}") or "") for name in names}
        for name in names[1:]:
            if parts[name]:
                mask_secret(parts[name])
        try:
            signature = SignatureToken(**parts)
            mask_secret(signature.bearer)
            host = base_url(connection.host, connection.port)
            store = store_from_url(settings.rate_limit_url(), local=settings.rate_limit_file())
            budget_key = hashlib.sha256(f"{host}\nbatch\n{signature.token}".encode()).hexdigest()
            limiter = RateLimiter(store, budget_key, self._budget(extra))
            return DiscoveryClient(
                connection.schema or "",
                signature,
                limiter=limiter,
                host=host,
                on_sent=count,
                max_response_mb=settings.max_response_mb(),
            )
        except StudioConfigurationError as error:
            raise StudioConfigurationError(f"Connection {self.studio_conn_id!r}: {error}") from None

    def test_connection(self) -> tuple[bool, str]:
        """Return the workspace and the token's kind, or the error and how to fix it."""
        try:
            verification = self.client.verify()
            kind = self.client.token_kind
        except StudioError as error:
            return False, str(error)
        return True, f"Connected to the workspace {verification.workspace!r} with a {kind.value.capitalize()} token."

    def log_spending(self) -> None:
        """Log and record the requests that the client used, if there is a client."""
        client = self.__dict__.get("client")
        if self._recorder is not None:
            self._recorder.flush()
        if client is not None:
            usage, log = client.spending, cast("Any", self.log)  # Airflow's loggers accept fields beside the text
            log.info(
                "Used %d requests of the token's budget; waited %.1f s for permits; %d got a 429",
                usage.requests,
                usage.seconds_waited,
                usage.rate_limited,
                **spending_fields(usage),
            )
            note_spending(usage)

    def _connection(self) -> Connection:
        try:
            return self.get_connection(self.studio_conn_id)
        except AirflowNotFoundException:
            raise StudioConfigurationError(
                f"There is no connection {self.studio_conn_id!r}. Create one of the type {CONNECTION_TYPE!r} in "
                "Airflow's UI under Admin > Connections, or with `airflow connections add`. A script or notebook does "
                f"not read Airflow's database; set AIRFLOW_CONN_{self.studio_conn_id.upper()} there."
            ) from None

    def _client_of(self, connection: Connection) -> StudioClient:
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_studio.client.client import StudioClient
        from airflow_provider_studio.client.ratelimit import RateLimiter, store_from_url

        if connection.password:
            mask_secret(connection.password)
        try:
            credentials = self._credentials(connection)
            extra = connection.extra_dejson
            timeout = _number(extra, "timeout_seconds") or 30.0
            budget = self._budget(extra)
            store = store_from_url(settings.rate_limit_url(), local=settings.rate_limit_file())
            limiter = RateLimiter(store, credentials.budget_key, budget)
            self._recorder = self._recorder_of(credentials)
            return StudioClient(
                credentials,
                limiter=limiter,
                timeout_seconds=timeout,
                on_sent=self._on_sent,
                max_response_mb=settings.max_response_mb(),
                max_download_mb=settings.max_download_mb(),
            )
        except StudioConfigurationError as error:
            raise StudioConfigurationError(f"Connection {self.studio_conn_id!r}: {error}") from None

    def _client_of_trigger(self, connection: Connection) -> StudioClient:
        """Return a client, and open the storage for its recorder, which writes from a thread of its own."""
        client = self._client_of(connection)
        try:
            self._storage()
        except Exception as error:  # noqa: BLE001  an error here must not fail a trigger
            self.log.warning("Requests are not recorded: %s", error)
            self._recorder = None
        return client

    def _storage(self) -> UPath:
        return settings.storage() if self.storage_path is None else settings.storage(self.storage_path)

    def _recorder_of(self, credentials: Credentials) -> SpendingRecorder:
        from airflow_provider_studio.hooks.usage import RequestSource, SpendingRecorder

        return SpendingRecorder(
            self._storage,
            workspace=credentials.workspace,
            connection=self.studio_conn_id,
            budget_key=credentials.budget_key,
            source=RequestSource.current(),
        )

    def _on_sent(self, sent: Sent) -> None:
        count(sent)
        if self._recorder is not None:
            self._recorder.note(sent)

    @staticmethod
    def _credentials(connection: Connection) -> Credentials:
        kind = connection.extra_dejson.get("token_kind") or None
        if kind is not None and kind not in list(TokenKind):
            raise StudioConfigurationError(f"token_kind is {kind!r}; it must be one of {', '.join(TokenKind)}.")
        return Credentials(
            workspace=connection.schema or "",
            token=connection.login or "",
            secret=connection.password or "",
            host=base_url(connection.host, connection.port),
            kind=None if kind is None else TokenKind(kind),
        )

    @staticmethod
    def _budget(extra: dict[str, Any]) -> Budget:
        requests, seconds = _number(extra, "rate_limit_requests"), _number(extra, "rate_limit_seconds")
        if requests is not None and not requests.is_integer():
            raise StudioConfigurationError(f"rate_limit_requests is {requests}; it must be a whole number.")
        standard = Budget()
        return Budget(int(requests or standard.limit), seconds or standard.interval_seconds)


def _number(extra: dict[str, Any], name: str) -> float | None:
    """Return an extra that must be a positive number; the form and URIs store texts."""
    value = extra.get(name)
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise StudioConfigurationError(f"{name} is {value!r}; it must be a number above 0.")
    return number
