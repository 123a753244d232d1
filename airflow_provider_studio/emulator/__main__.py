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
from typing import Any

from airflow_provider_studio.client.host import is_loopback
from airflow_provider_studio.emulator.contrary import ContraryService, contrary_service
from airflow_provider_studio.emulator.limits import MODELS
from airflow_provider_studio.emulator.replay import Replay
from airflow_provider_studio.emulator.server import listen, make_server
from airflow_provider_studio.emulator.state import ACCOUNTS, SECRET, EmulatorState
from airflow_provider_studio.emulator.tls import ThrowAwayAuthority

_EPILOG = f"""\
Credentials, public because they open nothing but an emulator: the tokens {", ".join(ACCOUNTS)},
each with the secret {SECRET}.

With a real Airflow, in two terminals; the emulator prints the second command:
  python -m airflow_provider_studio.emulator
  export AIRFLOW_CONN_STUDIO_DEFAULT='…' && airflow standalone

Control endpoints are under /_emulator: clock, requests, faults, rate_limit, quirks, tokens, reset, snapshot, state,
reports, collections. For example, advance the clock by a day, then make a tenth of all requests fail:
  curl --json '{{"advance_seconds": 86400}}' http://127.0.0.1:8181/_emulator/clock
  curl --json '{{"kind": "status", "status": 503, "rate": 0.1, "times": null}}' http://127.0.0.1:8181/_emulator/faults

Save a workspace with  curl -o saved.json http://127.0.0.1:8181/_emulator/snapshot
and restore it with  --restore saved.json
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
    workspace.add_argument("--restore", type=Path, metavar="FILE", help="a saved workspace to start with")
    workspace.add_argument(
        "--replay", type=Path, metavar="FILE", help="serve a cassette of `airflow studio doctor --record` instead"
    )
    workspace.add_argument(
        "--contrary", type=int, metavar="SEED", help="choose at random what is not certain about the real service"
    )
    time = parser.add_argument_group("its time")
    time.add_argument(
        "--now", type=datetime.fromisoformat, metavar="TIME", help="the initial time, ISO 8601 with a zone"
    )
    time.add_argument("--speed", type=float, default=1.0, help="emulated seconds per real second; 0 stops the clock")
    limit = parser.add_argument_group("its rate limit")
    limit.add_argument("--no-rate-limit", action="store_true", help="limit no requests")
    limit.add_argument("--limit", type=int, default=40, help="requests per interval for each token (default 40)")
    limit.add_argument("--interval", type=float, default=10.0, metavar="SECONDS", help="(default 10)")
    limit.add_argument(
        "--limit-model", choices=MODELS, help="how requests are counted (default sliding, or what --contrary chooses)"
    )
    limit.add_argument("--retry-after", action="store_true", help="send Retry-After with a 429")
    address = parser.add_argument_group("its address")
    address.add_argument("--host", default="127.0.0.1", help="(default 127.0.0.1: only this machine)")
    address.add_argument(
        "--name",
        action="append",
        default=[],
        help="a name of this host that clients use, besides localhost; repeatable",
    )
    address.add_argument("--port", type=int, default=8181, help="(default 8181; 0 selects a free port)")
    address.add_argument("--tls", action="store_true", help="serve HTTPS with a certificate of a new authority")
    address.add_argument("--ca-file", type=Path, metavar="FILE", help="where to write that authority's certificate")
    address.add_argument("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    return parser


def _state(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, contrary: ContraryService | None
) -> EmulatorState:
    if not is_loopback(arguments.host) and not arguments.allow_remote:
        parser.error(f"--host {arguments.host} can be reached from other machines; add --allow-remote to allow that")
    if arguments.now is not None and arguments.now.tzinfo is None:
        parser.error(f"--now {arguments.now.isoformat()} has no time zone; add one, such as Z")
    if arguments.ca_file is not None and not arguments.tls and contrary is None:
        parser.error("--ca-file needs --tls")
    if arguments.reports < 0:
        parser.error(f"--reports {arguments.reports} is negative")
    try:
        state = EmulatorState(
            arguments.workspace,
            arguments.reports,
            arguments.seed,
            arguments.now,
            speed=arguments.speed,
            quirks=contrary.quirks if contrary else None,
        )
        state.limits.configure(
            enabled=not arguments.no_rate_limit,
            limit=arguments.limit,
            interval_seconds=arguments.interval,
            **_limit(arguments, contrary),
        )
        if arguments.restore is not None:
            state.restore(arguments.restore.read_bytes())
    except OSError as error:
        parser.error(f"--restore {arguments.restore} cannot be read: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))
    return state


def _replay(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Replay | None:
    """Return the cassette to serve, whose workspace replaces the seeded one."""
    if arguments.replay is None:
        return None
    if arguments.restore is not None or arguments.contrary is not None:
        parser.error("--replay serves recorded responses only; leave out --restore and --contrary")
    try:
        replay = Replay(arguments.replay)
    except OSError as error:
        parser.error(f"--replay {arguments.replay} cannot be read: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))
    arguments.workspace, arguments.reports = replay.workspace, 0
    return replay


def _limit(arguments: argparse.Namespace, contrary: ContraryService | None) -> dict[str, Any]:
    """Return the settings of the limit that `--contrary` chooses, unless an option does."""
    settings = dict(contrary.limit) if contrary else {}
    if arguments.limit_model is not None:
        settings["model"] = arguments.limit_model
    if arguments.retry_after:
        settings["retry_after"] = True
    return settings


def main() -> int:
    """Serve until Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args()
    gc.disable()
    contrary = None if arguments.contrary is None else contrary_service(arguments.contrary)
    tls = arguments.tls or (contrary is not None and contrary.tls)
    replay = _replay(parser, arguments)
    state = _state(parser, arguments, contrary)
    gc.freeze()  # seeded objects live as long as the process; the collector does not have to scan them
    gc.enable()
    try:
        bound = listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        print(f"Port {arguments.port} of {arguments.host} cannot be used: {error}. Try --port 0.", file=sys.stderr)
        return 1
    host, port = bound.getsockname()[:2]
    authority = ThrowAwayAuthority(arguments.ca_file) if tls else None
    url, name = f"{'https' if authority else 'http'}://{host}:{port}", state.workspace.name
    connection: dict[str, Any] = {
        "conn_type": "studio",
        "host": url,
        "schema": name,
        "login": "emulator-workspace",
        "password": SECRET,
    }
    if replay is not None and replay.has_discovery:
        connection["extra"] = replay.extra()
    print(f"Workspace {name!r}, {len(state.workspace.reports):,} Reports: {url}/api")
    print(f"export AIRFLOW_CONN_STUDIO_DEFAULT={shlex.quote(json.dumps(connection))}", flush=True)
    if authority is not None:
        print(f"export REQUESTS_CA_BUNDLE={shlex.quote(str(authority.ca_file))}", flush=True)
    if contrary is not None:
        print(contrary.describe(), flush=True)
    make_server(state, authority, [*arguments.name, arguments.host], replay).run(sockets=[bound])
    return 0


if __name__ == "__main__":
    sys.exit(main())
