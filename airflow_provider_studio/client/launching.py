# SPDX-License-Identifier: Apache-2.0
"""Start a Report run once, whatever happens between the wish and the answer.

Starting is a POST that bills the warehouse, and the API knows no idempotency key. So an intent is recorded before it,
and the run's token after it. Whoever finds an intent without a token, or gets no answer, looks for the run among those
that came after the intent, and adopts it. The intent's mark is the Report's newest run before it, as the service tells
it, so no clock is compared with another.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioConnectionError,
    StudioError,
    StudioNotFoundError,
    StudioResponseError,
    StudioServerError,
)
from airflow_provider_studio.client.models import Report, ReportRun

log = logging.getLogger(__name__)

_LOOKS_FOR_LOST_RUN = 3
_SECONDS_BETWEEN_LOOKS = 2.0
_MOST_RUNS_SEARCHED = 100


@dataclass
class Launch:
    """What is known of one start.

    :param epoch: which start this is: another number after somebody cleared the task.
    :param after_run: the Report's newest run before the intent; None where it had none.
    :param run: the run's token, once it is known.
    """

    epoch: int
    report: str
    parameters: dict[str, Any] = field(default_factory=dict)
    after_run: str | None = None
    run: str | None = None


class LaunchRecord(Protocol):
    """Where one task keeps its launch between tries, durably."""

    def read(self) -> dict[str, Any] | None:
        """What was written last."""

    def write(self, values: dict[str, Any]) -> None:
        """Write durably before returning."""

    def claim(self, run: str) -> bool:
        """Take a run for this task; False if another task has it."""


class NoRecord:
    """Keeps nothing: each try starts a run."""

    def read(self) -> dict[str, Any] | None:
        """Nothing."""
        return None

    def write(self, values: dict[str, Any]) -> None:
        """Forget it."""

    def claim(self, run: str) -> bool:  # noqa: ARG002
        """Whatever it is, it is ours."""
        return True


def launch(
    client: StudioClient,
    report: Report,
    parameters: Mapping[str, Any] | None,
    record: LaunchRecord,
    *,
    epoch: int = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> ReportRun:
    """Start a run, or return the one that an earlier try of the same start began and that is alive or good.

    :raises StudioConnectionError: no answer came, and no run was found that could be ours.
    """
    wanted = Launch(epoch, report.token, dict(parameters or {}), _newest_run(report))
    earlier = _earlier(record, wanted)
    if earlier is not None:
        run = _still_good(client, earlier) if earlier.run else _adopt_lost(client, earlier, record, sleep)
        if run is not None:
            return run
    record.write(asdict(wanted))
    run = _start(client, wanted, record, sleep)
    wanted.run = run.token
    record.write(asdict(wanted))
    return run


def _earlier(record: LaunchRecord, wanted: Launch) -> Launch | None:
    values = record.read()
    if values is None or (values.get("epoch"), values.get("report")) != (wanted.epoch, wanted.report):
        return None
    return Launch(**values)


def _newest_run(report: Report) -> str | None:
    href = report.link("last_run")
    return href.rstrip("/").rsplit("/", 1)[-1] if href else None


def _still_good(client: StudioClient, earlier: Launch) -> ReportRun | None:
    """The recorded run, unless it ended badly or is gone."""
    try:
        run = client.get_report_run(earlier.report, earlier.run or "")
    except StudioNotFoundError:
        log.warning("Report run %s, which an earlier try started, is gone; starting another", earlier.run)
        return None
    if run.run_state.is_over and not run.run_state.is_good:
        log.info("Report run %s, which an earlier try started, ended as %s; starting another", run.token, run.state)
        return None
    log.info("Report run %s was started by an earlier try; waiting for that one", run.token)
    return run


def _adopt_lost(
    client: StudioClient, intent: Launch, record: LaunchRecord, sleep: Callable[[float], None]
) -> ReportRun | None:
    """The run that an intent without an answer began; None where there is none."""
    for look in range(_LOOKS_FOR_LOST_RUN):
        if look:
            sleep(_SECONDS_BETWEEN_LOOKS)  # a new run is not always visible at once
        fitting = [run for run in _runs_after(client, intent) if _could_be(run, intent)]
        for run in fitting:
            if record.claim(run.token):
                log.warning(
                    "Adopted Report run %s, the newest of %d that this task may have started without an answer",
                    run.token,
                    len(fitting),
                )
                record.write(asdict(Launch(**{**asdict(intent), "run": run.token})))
                return run
    return None


def _runs_after(client: StudioClient, intent: Launch) -> Iterator[ReportRun]:
    for number, run in enumerate(client.list_report_runs(intent.report)):
        if run.token == intent.after_run or number >= _MOST_RUNS_SEARCHED:
            return
        yield run


def _could_be(run: ReportRun, intent: Launch) -> bool:
    """Whether a run is of nobody's schedule, not already over badly, and has our parameters among its own."""
    theirs = run.parameters or {}
    same = all(str(theirs.get(name)) == str(value) for name, value in intent.parameters.items())
    state = run.run_state
    return same and run.link("report_schedule") is None and (state.is_good or not state.is_over)


def _start(client: StudioClient, wanted: Launch, record: LaunchRecord, sleep: Callable[[float], None]) -> ReportRun:
    try:
        run = client.create_report_run(wanted.report, wanted.parameters)
    except (StudioConnectionError, StudioServerError, StudioResponseError) as error:
        if isinstance(error, StudioConnectionError) and not error.may_have_arrived:
            raise
        log.warning("No usable answer to the start of a run (%s); looking for it before starting another", error)
        found = _adopt_lost(client, wanted, record, sleep)
        if found is None:
            raise
        return found
    if not record.claim(run.token):
        log.warning("Report run %s was adopted by another task, which lost the answer to a start of its own", run.token)
    return run


def check_parameters(client: StudioClient, report: Report, parameters: Mapping[str, Any] | None) -> None:
    """Hold parameters against the Report's form, as its newest run shows it; a Report that never ran shows none.

    :raises StudioConfigurationError: an unknown name, or a value that is no choice of the form. Lists the valid ones.
    """
    newest = _newest_run(report)
    if not parameters or newest is None:
        return
    try:
        shown = (client.get_report_run(report.token, newest).model_extra or {}).get("form_fields")
    except StudioError as error:
        log.warning("The form of Report %s could not be read (%s); its parameters go unchecked", report.token, error)
        return
    form = {str(one["name"]): one for one in shown or () if isinstance(one, Mapping) and "name" in one}
    if not form:
        log.warning("Report %s shows no form; whether it takes %s is unknown", report.token, ", ".join(parameters))
        return
    for name, value in parameters.items():
        if name not in form:
            raise StudioConfigurationError(
                f"parameters: Report {report.token} takes no {name!r}; it takes {', '.join(sorted(form))}."
            )
        choices = _choices(form[name].get("options"))
        given = {str(one) for one in value} if isinstance(value, list | tuple) else {str(value)}
        if choices and not given <= set(choices):
            raise StudioConfigurationError(
                f"parameters: {name} is {value!r}, which is no choice of Report {report.token}; "
                f"choose from {', '.join(choices)}."
            )


def _choices(options: Any) -> list[str]:
    """The values to choose from: a list of them, or of pairs of label and value."""
    if not isinstance(options, list):
        return []
    return [str(one[-1] if isinstance(one, list | tuple) and one else one) for one in options]
