# SPDX-License-Identifier: Apache-2.0
"""`python -m airflow_provider_studio`: what the workspace and the storage know, on a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from airflow_provider_studio.cli import audit, inventory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sub-command that was asked for; return the exit status."""
    from airflow_provider_studio.client.errors import StudioError

    parser = argparse.ArgumentParser(prog="python -m airflow_provider_studio", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in (inventory, audit):
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except StudioError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `head` has read enough. Python would complain once more when it closes the stream at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main())
