# SPDX-License-Identifier: Apache-2.0
"""Start a run of a Report or a dataset exactly once, also if the response is lost or the task is killed.

The start is a POST that bills the warehouse, and the API has no idempotency key. So an intent is recorded before it,
and the run's token after it. A try that finds an intent without a token, or gets no response, searches the runs that
are provably newer than the intent (see `run_marker`), and adopts the one that fits. Without proof it starts another
run, because old data is worse than a second run. The search ends with the newest 100 runs, and after 7 seconds in which
a new run may become visible (see `visibility`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioConnectionError,
    StudioError,
    StudioNotFoundError,
    StudioResponseError,
    StudioServerError,
    StudioWrongResourceError,
)
from airflow_provider_studio.client.models import Report, ReportRun
from airflow_provider_studio.client.run_marker import Listing, linked_run, read_marker
from airflow_provider_studio.client.start_record import Launch, LaunchRecord
from airflow_provider_studio.client.visibility import read_until

if TYPE_CHECKING:
    from airflow_provider_studio.client.run_endpoints import RunEndpoints

log = logging.getLogger(__name__)

_MOST_RUNS_SEARCHED = 100
"""A lost run is searched among this many of the Report's newest runs. If more were started since the intent, it is not
found, and another one is started."""
_RUNS_A_PAGE = 20


class NoRecord:
    """A record that stores nothing: each try starts a run."""

    def read(self) -> dict[str, Any] | None:
        """Return None."""
        return None

    def write(self, values: dict[str, Any]) -> None:
        """Store nothing."""

    def claim(self, run: str) -> bool:  # noqa: ARG002
        """Return True for any run."""
        return True


@dataclass(frozen=True)
class StartedRun:
    """A run that this task started.

    :param began: when its start was intended, by the clock of the machine that intended it, never Studio's; None if it
        is unknown.
    """

    run: ReportRun
    began: datetime | None


def launch(
    client: RunEndpoints,
    report: Report,
    parameters: Mapping[str, Any] | None,
    record: LaunchRecord,
    *,
    dataset_tokens: Sequence[str] = (),
    epoch: int = 0,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> StartedRun:
    """Start a run, or return the run that an earlier try started, if it is active or successful.

    :param client: where the runs are read and started.
    :param report: the Report, or the dataset.
    :param dataset_tokens: imported datasets whose newest run the Report is to use.
    :raises StudioConnectionError: there was no response, and no run was found that this task may have started.
    :raises StudioError: the Report's runs could not be listed, so it is unknown whether this task started one of them.
    """
    start = Launch(epoch, report.token, dict(parameters or {}), began=now().isoformat())
    earlier = _earlier(record, start)
    if earlier is not None:
        run = (
            _still_good(client, earlier.report, earlier.run, sleep)
            if earlier.run
            else _adopt_lost(client, earlier, record, sleep)
        )
        if run is not None:
            return StartedRun(run, earlier.began_at)
    intent = _intent(client, report, start)
    record.write(asdict(intent))
    run = _start(client, intent, dataset_tokens, record, sleep)
    intent.run = run.token
    record.write(asdict(intent))
    return StartedRun(run, intent.began_at)


def _earlier(record: LaunchRecord, start: Launch) -> Launch | None:
    values = record.read()
    if values is None or (values.get("epoch"), values.get("report")) != (start.epoch, start.report):
        return None
    return Launch.of(values, start)


def _intent(client: RunEndpoints, report: Report, start: Launch) -> Launch:
    """Return a start with what Studio returns about the Report's runs before it."""
    marker = read_marker(client, report)
    return replace(
        start,
        after_run=marker.run,
        after_time=None if marker.newest_at is None else marker.newest_at.isoformat(),
        known_runs=list(marker.known_runs),
        never_ran=marker.never_ran,
    )


def _still_good(client: RunEndpoints, report: str, recorded: str, sleep: Callable[[float], None]) -> ReportRun | None:
    """Return the recorded run, unless it failed, was cancelled or is gone.

    :raises StudioError: neither the run nor the Report's runs can be read, so it is unknown whether it is gone.
    """
    # A run that was started a moment ago is not always visible yet.
    run = read_until(lambda: _recorded(client, report, recorded), lambda found: found is not None, sleep=sleep)
    if run is None:
        log.warning("Report run %s, which an earlier try started, is gone; starting another", recorded)
        return None
    if _has_ended_badly(run):
        log.info("Report run %s, which an earlier try started, ended as %s; starting another", run.token, run.state)
        return None
    log.info("Report run %s was started by an earlier try; waiting for that one", run.token)
    return run


def _recorded(client: RunEndpoints, report: str, recorded: str) -> ReportRun | None:
    """Return a run by its token, or from the Report's list; None if neither has it."""
    try:
        return client.get_report_run(report, recorded)
    except StudioNotFoundError:
        listed = islice(client.list_report_runs(report), _MOST_RUNS_SEARCHED)
        return next((run for run in listed if run.token == recorded), None)


def _adopt_lost(
    client: RunEndpoints, intent: Launch, record: LaunchRecord, sleep: Callable[[float], None]
) -> ReportRun | None:
    """Return the run that an intent without a response started; None if there is none.

    :raises StudioError: the runs could not be listed.
    """

    def find() -> ReportRun | StudioError | None:
        try:
            return _adopted(_listed(client, intent), intent, record)
        except (StudioNotFoundError, StudioResponseError) as error:
            return error

    found = read_until(find, lambda found: isinstance(found, ReportRun), sleep=sleep)
    if isinstance(found, StudioError):
        raise found
    return found


def _listed(client: RunEndpoints, intent: Launch) -> list[tuple[ReportRun, bool | None]]:
    """Return the Report's newest runs that this task may have started, and whether each is newer than the intent.

    :raises StudioResponseError: no run is listed for a Report that had some.
    """
    runs: list[ReportRun] = []
    marker = intent.marker
    for run in islice(client.list_report_runs(intent.report), _MOST_RUNS_SEARCHED):
        runs.append(run)
        # The first page is already read, and its order may not be as documented.
        if len(runs) >= _RUNS_A_PAGE and Listing(runs, marker).reaches_the_marker:
            break
    if not runs and marker.had_runs:
        raise StudioResponseError(f"Report {intent.report} had runs before this start, and none is listed now.")
    return [(run, newer) for run, newer in Listing(runs, marker).are_newer() if newer is not False]


def _adopted(listed: list[tuple[ReportRun, bool | None]], intent: Launch, record: LaunchRecord) -> ReportRun | None:
    """Claim the newest run that fits and that no other task has claimed."""
    fitting = [(run, newer) for run, newer in listed if _could_be(run, intent)]
    fitting.sort(key=lambda entry: entry[0].has_unknown_state)  # such a run may be ours, but others are likelier
    newer_ones = [run for run, newer in fitting if newer]
    for run in newer_ones:
        if record.claim(run.token):
            log.warning(
                "Adopted Report run %s, the newest of %d that this task may have started without a response",
                run.token,
                len(newer_ones),
            )
            record.write(asdict(replace(intent, run=run.token)))
            return run
    if len(fitting) > len(newer_ones):
        log.warning(
            "%d runs of Report %s may have been started by this task, but nothing proves that they are newer than its "
            "start; they are not adopted",
            len(fitting) - len(newer_ones),
            intent.report,
        )
    return None


def _could_be(run: ReportRun, intent: Launch) -> bool:
    """Whether a run has no schedule, did not fail, was not cancelled, and has the parameters of the intent."""
    parameters = run.parameters or {}
    same = all(str(parameters.get(name)) == str(value) for name, value in intent.parameters.items())
    return same and run.link("report_schedule") is None and not _has_ended_badly(run)


def _has_ended_badly(run: ReportRun) -> bool:
    """Whether a run is known to have failed or been cancelled; what an undocumented state means is unknown."""
    return run.is_seen_over and not run.run_state.is_good


def _start(
    client: RunEndpoints,
    intent: Launch,
    dataset_tokens: Sequence[str],
    record: LaunchRecord,
    sleep: Callable[[float], None],
) -> ReportRun:
    try:
        run = client.create_report_run(intent.report, intent.parameters, dataset_tokens=dataset_tokens)
        if run.token in {intent.after_run, *intent.known_runs}:
            raise StudioWrongResourceError(
                f"The response to the start of a run of Report {intent.report} is that of {run.token}, an earlier run."
            )
    except (StudioConnectionError, StudioServerError, StudioResponseError) as error:
        if isinstance(error, StudioConnectionError) and not error.may_have_arrived:
            raise
        log.warning("No usable response to the start of a run (%s); searching for it before starting another", error)
        found = _adopt_lost(client, intent, record, sleep)
        if found is None:
            raise
        return found
    if not record.claim(run.token):
        log.warning("Report run %s was adopted by another task, which lost the response to its own start", run.token)
    return run


def check_parameters(client: RunEndpoints, report: Report, parameters: Mapping[str, Any] | None) -> None:
    """Check parameters against the Report's form in its newest run; a Report that never ran has none.

    :raises StudioConfigurationError: an unknown name, or a value that is no option of the form. Lists the valid ones.
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
    fields = (newest.model_extra or {}).get("form_fields")
    form = {str(field["name"]): field for field in fields or () if isinstance(field, Mapping) and "name" in field}
    if not form:
        log.warning("Report %s shows no form; whether it takes %s is unknown", report.token, ", ".join(parameters))
        return
    for name, value in parameters.items():
        if name not in form:
            raise StudioConfigurationError(
                f"parameters: Report {report.token} takes no {name!r}; it takes {', '.join(sorted(form))}."
            )
        choices = _choices(form[name].get("options"))
        values = {str(item) for item in value} if isinstance(value, list | tuple) else {str(value)}
        if choices and not values <= set(choices):
            raise StudioConfigurationError(
                f"parameters: {name} is {value!r}, which is no choice of Report {report.token}; "
                f"choose from {', '.join(choices)}."
            )


def _newest_run(client: RunEndpoints, report: Report) -> ReportRun | None:
    """Return the run that a Report links as its last, or the first in its listing; None if none is listed."""
    linked = linked_run(report)
    if linked is not None:
        try:
            return client.get_report_run(report.token, linked)
        except StudioNotFoundError:
            log.info("Report run %s, which Report %s links as its last, is gone", linked, report.token)
    return next(iter(client.newest_report_runs(report.token)), None)


def _choices(options: Any) -> list[str]:
    """Return the values to choose from: a list of them, or of pairs of label and value."""
    if not isinstance(options, list):
        return []
    return [str(option[-1] if isinstance(option, list | tuple) and option else option) for option in options]
