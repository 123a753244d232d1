# SPDX-License-Identifier: Apache-2.0
"""Make a command of a function that returns a table: access to Airflow, the format, errors, the exit status."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_provider_studio.cli.airflow_process import airflow_command
from airflow_provider_studio.cli.output import Message, Table
from airflow_provider_studio.client.plain_text import one_line

_READER_STOPPED = 141
"""The exit status if the reader of the output, such as `head`, stopped reading, as in a shell."""


def command(table_of: Callable[[argparse.Namespace], Table | Message]) -> Callable[[argparse.Namespace], None]:
    """Make a command of a function that returns the table to print.

    The function runs as one of Airflow's processes. An error of the provider becomes one line on standard error and the
    exit status 1. If the table says that the command failed in part, the exit status is the table's.
    """

    @functools.wraps(table_of)
    def run(options: argparse.Namespace) -> None:
        from airflow_provider_studio.client.errors import StudioError

        try:
            with airflow_command():
                table = table_of(options)
            table.write(options.output)
            sys.stdout.flush()
            if table.failed:
                raise SystemExit(table.failed_status)
        except StudioError as error:
            say(f"{type(error).__name__}: {error}")
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        except BrokenPipeError:
            # Without this, Python reports the error again at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(_READER_STOPPED) from None

    return run


def say(sentence: str) -> None:
    """Print a sentence for people to standard error, because standard output holds only the table.

    It may contain names from storage and Studio, which cannot control the terminal. Its own lines stay lines.
    """
    print("\n".join(map(one_line, sentence.split("\n"))), file=sys.stderr)


def confirm(actions: Sequence[Mapping[str, Any]], plan_id: str, verb: str) -> None:
    """Print actions, and stop unless a person confirms them.

    :param actions: one row for each action, at least one.
    :param verb: what will be done.
    :raises StudioConfigurationError: nobody can be asked, or the answer is not the plan's id.
    """
    from airflow_provider_studio.client.errors import StudioConfigurationError
    from airflow_provider_studio.governance.text import counted, table_lines

    say("\n".join(table_lines([list(actions[0]), *(list(row.values()) for row in actions)])))
    if not sys.stdin.isatty():
        raise StudioConfigurationError(f"Nobody can be asked here. Add --yes to {verb} these actions.")
    say(f"{verb.capitalize()}: {counted(len(actions), 'action')} of plan {plan_id}.")
    answer = input("Type the plan's id to confirm: ")
    if answer.strip() != plan_id:
        raise StudioConfigurationError("The answer is not the plan's id. Nothing was changed.")
