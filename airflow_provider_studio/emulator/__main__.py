# SPDX-License-Identifier: Apache-2.0
"""`python -m airflow_provider_studio.emulator`: a Studio workspace on localhost."""

from __future__ import annotations

import argparse
import gc
import json
import shlex
import sys
from datetime import datetime
from pathlib import Path

from airflow_provider_studio.client.auth import is_loopback
from airflow_provider_studio.emulator.limits import MODELS
from airflow_provider_studio.emulator.server import listen, make_server
from airflow_provider_studio.emulator.state import ACCOUNTS, SECRET, EmulatorState
from airflow_provider_studio.emulator.tls import ThrowAwayAuthority

_EPILOG = f"""\
Credentials, public because they open nothing but an emulator: the tokens {", ".join(ACCOUNTS)},
each with the secret {SECRET}.

Beside a real Airflow, in two terminals; the second command is the first one's second line:
  python -m airflow_provider_studio.emulator
  export AIRFLOW_CONN_STUDIO_DEFAULT='…' && airflow standalone

Control endpoints are under /_emulator: clock, requests, faults, rate_limit, quirks, tokens, reset, snapshot, state,
reports, collections. For example, a day passes, and a tenth of all requests fails from now on:
  curl --json '{{"advance_seconds": 86400}}' http://127.0.0.1:8181/_emulator/clock
  curl --json '{{"kind": "status", "status": 503, "rate": 0.1, "times": null}}' http://127.0.0.1:8181/_emulator/faults

A workspace is written down with  curl -o saved.json http://127.0.0.1:8181/_emulator/snapshot
and taken up again with  --restore saved.json
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_studio.emulator",
        description="A Studio workspace on localhost, deterministic by seed, with the API's quirks and its rate limit.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    workspace = parser.add_argument_group("the workspace")
    workspace.add_argument("--workspace", default="acme", help="its name (default acme)")
    workspace.add_argument("--reports", type=int, default=2000, help="how many Reports (default 2000)")
    workspace.add_argument("--seed", type=int, default=7, help="the same seed gives the same workspace (default 7)")
    workspace.add_argument("--restore", type=Path, metavar="FILE", help="a workspace that was written down earlier")
    time = parser.add_argument_group("its time")
    time.add_argument("--now", type=datetime.fromisoformat, metavar="TIME", help="at the start, ISO 8601 with a zone")
    time.add_argument("--speed", type=float, default=1.0, help="emulated seconds in a real one; 0 stands still")
    limit = parser.add_argument_group("its rate limit")
    limit.add_argument("--no-rate-limit", action="store_true", help="answer as fast as it can")
    limit.add_argument("--limit", type=int, default=40, help="requests in an interval, for each token (default 40)")
    limit.add_argument("--interval", type=float, default=10.0, metavar="SECONDS", help="(default 10)")
    limit.add_argument("--limit-model", choices=MODELS, default="sliding", help="how it counts (default sliding)")
    limit.add_argument("--retry-after", action="store_true", help="let a 429 carry Retry-After")
    place = parser.add_argument_group("where it listens")
    place.add_argument("--host", default="127.0.0.1", help="(default 127.0.0.1, for this machine alone)")
    place.add_argument("--port", type=int, default=8181, help="(default 8181; 0 takes a free one)")
    place.add_argument("--tls", action="store_true", help="serve HTTPS, with a certificate authority of its own")
    place.add_argument("--ca-file", type=Path, metavar="FILE", help="where to write that authority's certificate")
    place.add_argument("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    return parser


def _state(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> EmulatorState:
    if not is_loopback(arguments.host) and not arguments.allow_remote:
        parser.error(f"--host {arguments.host} can be reached from other machines; add --allow-remote if you mean it")
    if arguments.now is not None and arguments.now.tzinfo is None:
        parser.error(f"--now {arguments.now.isoformat()} has no time zone; add one, such as Z")
    if arguments.ca_file is not None and not arguments.tls:
        parser.error("--ca-file is of use with --tls alone")
    if arguments.reports < 0:
        parser.error(f"--reports {arguments.reports} is negative")
    try:
        state = EmulatorState(
            arguments.workspace, arguments.reports, arguments.seed, arguments.now, speed=arguments.speed
        )
        state.limits.configure(
            enabled=not arguments.no_rate_limit,
            limit=arguments.limit,
            interval_seconds=arguments.interval,
            model=arguments.limit_model,
            retry_after=arguments.retry_after,
        )
        if arguments.restore is not None:
            state.restore(arguments.restore.read_bytes())
    except OSError as error:
        parser.error(f"--restore {arguments.restore} cannot be read: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))
    return state


def main() -> int:
    """Serve until Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args()
    gc.disable()
    state = _state(parser, arguments)
    gc.freeze()  # what was seeded is no garbage, and need not be looked through for it again and again
    gc.enable()
    try:
        bound = listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        print(f"Port {arguments.port} of {arguments.host} cannot be used: {error}. Try --port 0.", file=sys.stderr)
        return 1
    host, port = bound.getsockname()[:2]
    authority = ThrowAwayAuthority(arguments.ca_file) if arguments.tls else None
    url, workspace = f"{'https' if authority else 'http'}://{host}:{port}", state.world.workspace
    connection = {
        "conn_type": "studio",
        "host": url,
        "schema": workspace,
        "login": "emulator-workspace",
        "password": SECRET,
    }
    print(f"Workspace {workspace!r}, {len(state.world.reports):,} Reports: {url}/api")
    print(f"export AIRFLOW_CONN_STUDIO_DEFAULT={shlex.quote(json.dumps(connection))}", flush=True)
    if authority is not None:
        print(f"export REQUESTS_CA_BUNDLE={shlex.quote(str(authority.ca_file))}", flush=True)
    make_server(state, authority).run(sockets=[bound])
    return 0


if __name__ == "__main__":
    sys.exit(main())
