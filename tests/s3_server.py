# SPDX-License-Identifier: Apache-2.0
"""A local S3 server for tests, and the Airflow connection to it."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import pytest

PARTS = ("moto", "flask_cors", "s3fs", "airflow.providers.amazon")
BUCKET = "bucket"

needs_s3 = pytest.mark.skipif(
    any(importlib.util.find_spec(part) is None for part in PARTS),
    reason=f"SKIPPED LOUDLY: storage in S3 is not tested without all of {', '.join(PARTS)}",
)


class S3Server:
    """Moto on a free port with one bucket; a context manager.

    `lost_responses` is the number of next writes that take effect but respond 500, as if the response was lost.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log_request(self, *_arguments: object) -> None:
                """Log nothing."""

        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._respond, threaded=True, request_handler=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.lost_responses = 0

    def __enter__(self) -> S3Server:
        self._thread.start()
        self.reset()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def connection(self) -> str:
        """The value for `AIRFLOW_CONN_AWS_DEFAULT`."""
        extra = {"endpoint_url": self.url, "region_name": "us-east-1"}
        keys = {"login": "key-of-a-test", "password": "secret-of-a-test"}
        return json.dumps({"conn_type": "aws", **keys, "extra": extra})

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that connects to it without Airflow."""
        keys = {"AWS_ACCESS_KEY_ID": "key-of-a-test", "AWS_SECRET_ACCESS_KEY": "secret-of-a-test"}
        return {**keys, "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "us-east-1"}

    def reset(self) -> None:
        """Empty the bucket."""
        import requests

        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()
        self.client().create_bucket(Bucket=BUCKET)

    def client(self) -> Any:
        """Return a client with other credentials."""
        import boto3

        keys = {"aws_access_key_id": "somebody", "aws_secret_access_key": "else", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, **keys)

    def _respond(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "PUT" or not self.lost_responses:
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        self.lost_responses -= 1
        list(self._moto(environ, lambda *_response: None))
        start_response("500 Internal Server Error", [("Content-Type", "application/xml")])
        return [b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"]
