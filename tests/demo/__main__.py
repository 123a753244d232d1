# SPDX-License-Identifier: Apache-2.0
"""`make demo`: run the nightly DAG in a real Airflow with an emulated Studio workspace, and print its progress.

All files are in one temporary folder. They and all processes end with this process, even if it is killed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

from tests.demo.night import Night, NightFailedError
from tests.demo.progress import DemoOutput
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflowError

_PR_SET_PDEATHSIG = 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="Watch a nightly governance DAG clean an emulated Studio workspace in a real Airflow.",
        epilog="Pass options through make as in: make demo ARGS='--once --reports 500'",
    )
    parser.add_argument("--once", action="store_true", help="exit after the summary, with 0 or 1")
    parser.add_argument("--approve", action="store_true", help="print a login and a link, and wait for your approval")
    parser.add_argument("--reports", type=int, default=2000, help="Reports in the workspace (default 2000)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the workspace (default 7)")
    parser.add_argument("--port", type=int, default=None, help="port of the Airflow UI (default: a free one)")
    parser.add_argument("--emulator-port", type=int, default=None, help="port of the emulator (default: free)")
    return parser.parse_args()


def _check(arguments: argparse.Namespace) -> str | None:
    """Return why the demo cannot start and how to fix it, or None."""
    if not Path(sys.executable).with_name("airflow").exists():
        return "Airflow is not installed in this Python environment. Run `make setup`."
    if arguments.reports < 1:
        return f"--reports is {arguments.reports}; a workspace needs at least 1."
    for option, port in (("--port", arguments.port), ("--emulator-port", arguments.emulator_port)):
        if port is None:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                return f"{option} {port} cannot be used ({error}). Omit the option to use a free port."
    if shutil.disk_usage(tempfile.gettempdir()).free < 300 * 2**20:
        folder = tempfile.gettempdir()
        return f"Less than 300 MB are free in {folder}. Delete some files, or set TMPDIR to another folder."
    return None


def _end_with_make() -> None:
    """Let the kernel send SIGTERM if `make` is killed; otherwise this process would outlive it."""
    if sys.platform == "linux" and "MAKELEVEL" in os.environ:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def main() -> int:
    """Run the demo and return the exit status: 0 when the night succeeded within the budget."""
    arguments = _arguments()
    problem = _check(arguments)
    if problem:
        print(f"The demo cannot start. {problem}", file=sys.stderr)
        return 1
    _end_with_make()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores SIGINT by default
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    output = DemoOutput()
    home = Path(tempfile.mkdtemp(prefix="studio-demo-"))
    with ProcessKeeper(remove=home) as keeper:
        try:
            night = Night(keeper, home, arguments, output)
            night.run()
            if not arguments.once:
                night.stay_up()
        except KeyboardInterrupt:
            output.end()
            print("\nStopping all processes of the demo (a few seconds) …", flush=True)
            return 130
        except (LiveAirflowError, NightFailedError) as error:
            output.end()
            keeper.remove_at_end(None)
            print(f"\nThe demo failed: {error}\nIts files are in {home}", file=sys.stderr)
            return 1
        finally:
            output.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
