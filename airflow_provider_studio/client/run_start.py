# SPDX-License-Identifier: Apache-2.0
"""Start a Report run once, whatever happens between the wish and the answer.

Starting is a POST that bills the warehouse, and the API knows no idempotency key. So an intent is recorded before it,
and the run's token after it. A try that finds an intent without a token, or gets no answer, searches the runs that are
provably newer than the intent (see `run_marker`), and adopts the one that fits. Old data is worse than a second run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioConnectionError,
    StudioError,
    StudioNotFoundError,
    StudioResponseError,
    StudioServerError,
)
from airflow_provider_studio.client.models import Report, ReportRun
from airflow_provider_studio.client.run_marker import Listing, linked_run, read_marker
from airflow_provider_studio.client.start_record import Launch, LaunchRecord

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient

log = logging.getLogger(__name__)

_LOOKS_FOR_LOST_RUN = 3
_SECONDS_BETWEEN_LOOKS = 2.0
_MOST_RUNS_SEARCHED = 100
_RUNS_A_PAGE = 20


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
    :raises StudioError: the Report's runs could not be listed, so it is unknown whether one of them is ours.
    """
    wanted = Launch(epoch, report.token, dict(parameters or {}))
    earlier = _earlier(record, wanted)
    if earlier is not None:
        run = (
            _still_good(client, earlier.report, earlier.run)
            if earlier.run
            else _adopt_lost(client, earlier, record, sleep)
        )
        if run is not None:
            return run
    wanted = _intent(client, report, wanted)
    record.write(asdict(wanted))
    run = _start(client, wanted, record, sleep)
    wanted.run = run.token
    record.write(asdict(wanted))
    return run


def _earlier(record: LaunchRecord, wanted: Launch) -> Launch | None:
    values = record.read()
    if values is None or (values.get("epoch"), values.get("report")) != (wanted.epoch, wanted.report):
        return None
    return Launch.of(values, wanted)


def _intent(client: StudioClient, report: Report, wanted: Launch) -> Launch:
    """A start with what Studio returns about the Report's runs before it."""
    marker = read_marker(client, report)
    return replace(
        wanted,
        after_run=marker.run,
        after_time=None if marker.newest_at is None else marker.newest_at.isoformat(),
        known_runs=list(marker.known_runs),
        never_ran=marker.never_ran,
    )


def _still_good(client: StudioClient, report: str, recorded: str) -> ReportRun | None:
    """The recorded run, unless it ended badly or is gone."""
    try:
        run = client.get_report_run(report, recorded)
    except StudioNotFoundError:
        log.warning("Report run %s, which an earlier try started, is gone; starting another", recorded)
        return None
    if run.run_state.is_over and not run.run_state.is_good:
        log.info("Report run %s, which an earlier try started, ended as %s; starting another", run.token, run.state)
        return None
    log.info("Report run %s was started by an earlier try; waiting for that one", run.token)
    return run


def _adopt_lost(
    client: StudioClient, intent: Launch, record: LaunchRecord, sleep: Callable[[float], None]
) -> ReportRun | None:
    """The run that an intent without an answer began; None where there is none.

    :raises StudioError: the runs could not be listed.
    """
    unreadable: StudioError | None = None
    for look in range(_LOOKS_FOR_LOST_RUN):
        if look:
            sleep(_SECONDS_BETWEEN_LOOKS)  # a new run is not always visible at once
        try:
            listed = _listed(client, intent)
        except (StudioNotFoundError, StudioResponseError) as error:
            unreadable = error
            continue
        unreadable = None
        run = _adopted(listed, intent, record)
        if run is not None:
            return run
    if unreadable is not None:
        raise unreadable
    return None


def _listed(client: StudioClient, intent: Launch) -> list[tuple[ReportRun, bool | None]]:
    """The Report's newest runs that could be ours, and whether each is newer than the intent.

    :raises StudioResponseError: no run is listed of a Report that had some.
    """
    runs: list[ReportRun] = []
    marker = intent.marker
    for run in islice(client.list_report_runs(intent.report), _MOST_RUNS_SEARCHED):
        runs.append(run)
        # The first page is there anyway, and its order may not be as promised.
        if len(runs) >= _RUNS_A_PAGE and Listing(runs, marker).reaches_the_marker:
            break
    if not runs and marker.had_runs:
        raise StudioResponseError(f"Report {intent.report} had runs before this start, and none is listed now.")
    return [(run, newer) for run, newer in Listing(runs, marker).are_newer() if newer is not False]


def _adopted(listed: list[tuple[ReportRun, bool | None]], intent: Launch, record: LaunchRecord) -> ReportRun | None:
    """Take the newest run that fits and no other task has."""
    fitting = [(run, newer) for run, newer in listed if _could_be(run, intent)]
    newer_ones = [run for run, newer in fitting if newer]
    for run in newer_ones:
        if record.claim(run.token):
            log.warning(
                "Adopted Report run %s, the newest of %d that this task may have started without an answer",
                run.token,
                len(newer_ones),
            )
            record.write(asdict(replace(intent, run=run.token)))
            return run
    if len(fitting) > len(newer_ones):
        log.warning(
            "%d runs of Report %s could be this task's, but nothing proves that they are newer than its start; "
            "they are not adopted",
            len(fitting) - len(newer_ones),
            intent.report,
        )
    return None


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
    if not parameters:
        return
    try:
        newest = _newest_run(client, report)
    except StudioError as error:
        log.warning("The form of Report %s could not be read (%s); its parameters go unchecked", report.token, error)
        return
    if newest is None:
        return
    shown = (newest.model_extra or {}).get("form_fields")
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


def _newest_run(client: StudioClient, report: Report) -> ReportRun | None:
    """The run that a Report links as its last, or the first of its list; None where none is listed."""
    linked = linked_run(report)
    if linked is not None:
        try:
            return client.get_report_run(report.token, linked)
        except StudioNotFoundError:
            log.info("Report run %s, which Report %s links as its last, is gone", linked, report.token)
    return next(iter(client.newest_report_runs(report.token)), None)


def _choices(options: Any) -> list[str]:
    """The values to choose from: a list of them, or of pairs of label and value."""
    if not isinstance(options, list):
        return []
    return [str(one[-1] if isinstance(one, list | tuple) and one else one) for one in options]
