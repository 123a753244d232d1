# SPDX-License-Identifier: Apache-2.0
"""StudioHook: opens the client of an Airflow connection, whose requests use the token's shared budget.

Errors name the connection, the field and how to fix it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowNotFoundException, BaseHook

from airflow_provider_studio import settings
from airflow_provider_studio.client.auth import Credentials, kind_of
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError
from airflow_provider_studio.client.host import base_url
from airflow_provider_studio.get_provider_info import CONNECTION_FIELDS, CONNECTION_TYPE, FIELD_BEHAVIOUR, HOOK_NAME
from airflow_provider_studio.hooks.connection_fields import budget_of, credentials_of, extras_of, number_of
from airflow_provider_studio.hooks.metrics import count
from airflow_provider_studio.telemetry import note_spending, spending_fields

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from upath import UPath

    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.discovery import DiscoveryClient
    from airflow_provider_studio.client.requests_by_path import Method
    from airflow_provider_studio.client.transport import Sent
    from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
    from airflow_provider_studio.hooks.usage import SpendingRecorder

__all__ = ["StudioHook"]


class StudioHook(BaseHook):
    """Opens a Studio workspace.

    The connection: login is the token, password the secret, schema the workspace, host the URL of Studio (by default
    `https://app.mode.com`); the extras are `credential_kind` (workspace, member, personal), `timeout_seconds`,
    `rate_limit_requests` and `rate_limit_seconds`, and `discovery_token`, `discovery_access_key` and
    `discovery_access_secret` of a signature token for the Discovery API, and the limits in `CONNECTION_LIMITS`.

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

    @cached_property
    def limits(self) -> DeploymentLimits:
        """The deployment's limits for tasks with this connection.

        :raises StudioConfigurationError: an option of `[studio]` or an extra of the connection is invalid.
        """
        with self._naming_the_connection():
            return settings.limits(extras_of(self._connection()))

    @property
    def has_discovery(self) -> bool:
        """Whether the connection has a signature token for the Discovery API."""
        with self._naming_the_connection():
            return bool(extras_of(self._connection()).get("discovery_token"))

    @cached_property
    def discovery_client(self) -> DiscoveryClient:
        """The client of the Discovery API.

        :raises StudioConfigurationError: the connection has no signature token, or an incomplete one.
        """
        from airflow.providers.common.compat.sdk import mask_secret

        from airflow_provider_studio.client.discovery import DiscoveryClient, SignatureToken
        from airflow_provider_studio.client.ratelimit import RateLimiter, store_from_url

        connection = self._connection()
        names = ("token", "access_key", "access_secret")
        with self._naming_the_connection():
            extra = extras_of(connection)
            parts = {name: str(extra.get(f"discovery_{name}") or "") for name in names}
            for name in names[1:]:
                if parts[name]:
                    mask_secret(parts[name])
            signature = SignatureToken(**parts)
            mask_secret(signature.bearer)
            host = base_url(connection.host, connection.port)
            store = store_from_url(settings.rate_limit_url(), local=settings.rate_limit_file())
            budget_key = hashlib.sha256(f"{host}\nbatch\n{signature.token}".encode()).hexdigest()
            limiter = RateLimiter(store, budget_key, budget_of(extra))
            return DiscoveryClient(
                connection.schema or "",
                signature,
                limiter=limiter,
                host=host,
                on_sent=count,
                max_response_mb=settings.max_response_mb(),
            )

    def run(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send one request in a `@task`, for an endpoint that has no operator; parameters as in `StudioClient.request`.

        :return: the response without values that grant access by themselves, because a task returns it as its XCom.
        :raises AirflowFailException: the request failed, and a retry of the task does not help.
        :raises StudioError: the request failed.
        """
        from airflow_provider_studio.client.ratelimit import Priority
        from airflow_provider_studio.governance.plans.scrubbing import scrubbed

        try:
            client = self.client.with_priority(Priority.ACT)
            return cast("dict[str, Any]", scrubbed(client.request(method, path, params=params, json=json)))
        except StudioError as error:
            if error.retry_helps:
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        finally:
            self.log_spending()

    def test_connection(self) -> tuple[bool, str]:
        """Return the workspace and the token's kind, or the error and how to fix it.

        A declared kind is compared with the response, and not reported as checked if the response does not name one.
        """
        try:
            declared = self.client.declared_kind
            verification = self.client.verify()
        except StudioError as error:
            return False, str(error)
        connected = f"Connected to the workspace {verification.workspace!r}"
        reported = kind_of(verification.api_key_scope, verification.link("self"))
        if declared is None or (declared is reported and verification.api_key_scope):
            return True, f"{connected} with a {reported.value.capitalize()} token."
        if not verification.api_key_scope:
            unnamed = "The response does not name the kind of the token"
            return True, f"{connected}. {unnamed}; credential_kind is {declared}."
        return False, (
            f"{connected}, but credential_kind is {declared} and the response names a {reported.value.capitalize()} "
            "token; correct credential_kind, or empty it."
        )

    def log_spending(self) -> None:
        """Log and record the requests that the client used, if there is a client."""
        client = self.__dict__.get("client")
        if self._recorder is not None:
            self._recorder.flush()
        if client is not None:
            usage, log = client.spending, cast("Any", self.log)  # Airflow's loggers accept fields beside the text
            log.info(
                "Used %d requests of the token's budget, which made the task wait for %.1f s; %d got a 429",
                usage.requests,
                usage.seconds_held_up,
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
        with self._naming_the_connection():
            extra = extras_of(connection)
            credentials = credentials_of(connection, extra)
            timeout = number_of(extra, "timeout_seconds") or 30.0
            budget = budget_of(extra)
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
                permissions=lambda: settings.limits(extra).permissions,
            )

    @contextmanager
    def _naming_the_connection(self) -> Iterator[None]:
        """Add the connection to errors of its fields."""
        try:
            yield
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
