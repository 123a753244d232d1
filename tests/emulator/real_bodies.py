# SPDX-License-Identifier: Apache-2.0
"""Compare real and documented bodies with the emulator's response for the same resource.

`python -m tests.emulator.real_bodies` prints every difference in keys, links, forms and types, with its reason; a test
fails on differences without a reason. `real_keys` has the keys of each body; the bodies are not part of this project.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import FIXTURES
from tests.emulator.real_keys import keys_of_real
from tests.emulator.sample import Sample

Body = dict[str, Any]


def _one(path: str, key: str = "", kind: str = "workspace") -> Callable[[Sample], Body]:
    """Return the response to a path, or the first row of its listing."""

    def ask(sample: Sample) -> Body:
        body = sample.ask("GET", path, kind=kind).json()
        return dict(body["_embedded"][key][0] if key else body)

    return ask


def _failed_query_run(sample: Sample) -> Body:
    report = sample.names["report"]
    sample.emulator.control.change_report(report, next_outcome="failed", next_runtime_seconds=0.0)
    run = sample.ask("POST", "/{ws}/reports/{report}/runs", {}).json()["token"]
    return _one(f"/{{ws}}/reports/{report}/runs/{run}/query_runs", "query_runs")(sample)


def _weekly_schedule(sample: Sample) -> Body:
    cron = {"freq": "weekly", "hour": 20, "minute": 0, "time_zone": "UTC", "day_of_week": "1,3"}
    path = "/{ws}/reports/{report}/schedules"
    return dict(sample.ask("POST", path, {"report_schedule": {"cron": cron}}).json())


def _discovery(name: str) -> Callable[[Sample], Body]:
    return lambda sample: dict(sample.discover(name, sample.mint())[name][0])


@dataclass(frozen=True)
class Real:
    """One body.

    :param file: its path.
    :param key: the key of its rows; empty if it is a single resource.
    :param ours: requests the same resource from the emulator.
    :param links: whether its links and forms are complete; some were omitted when it was published.
    """

    file: str
    key: str
    ours: Callable[[Sample], Body]
    links: bool = False

    def theirs(self) -> list[Body]:
        """Return the body, or its rows."""
        body = json.loads((FIXTURES / self.file).read_text(encoding="utf-8"))
        return list(body.get("_embedded", body)[self.key]) if self.key else [body]


REAL = (
    Real("datahub/reports_list_page.json", "reports", _one("/{ws}/spaces/{space}/reports", "reports"), links=True),
    Real("datahub/reports_list_empty_page.json", "", _one("/{ws}/spaces/{space}/reports?page=9"), links=True),
    Real("datahub/datasets_list_2024.json", "reports", _one("/{ws}/spaces/{space}/datasets", "reports")),
    Real("datahub/spaces_list.json", "spaces", _one("/{ws}/spaces?filter=custom", "spaces"), links=True),
    Real("datahub/queries_list.json", "queries", _one("/{ws}/reports/{report}/queries", "queries"), links=True),
    Real("datahub/account_user_redacted.json", "", _one("/account", kind="personal")),
    Real("datahub/verify.json", "", _one("/verify", kind="personal"), links=True),
    Real("odd_collector/data_sources_list_2023.json", "data_sources", _one("/{ws}/data_sources", "data_sources")),
    Real("mode_docs/report_schedule.json", "", _one("/{ws}/reports/{report}/schedules/{schedule}"), links=True),
    Real("mode_docs/signature_token.json", "", lambda sample: dict(sample.mint())),
    Real("mode_docs/discovery_reports_page.json", "reports", _discovery("reports")),
    Real("mode_docs/discovery_report_stats_page.json", "report_stats", _discovery("report_stats")),
    Real("mode_sdk_synthetic/report.json", "", _one("/{ws}/reports/{report}")),
    Real("mode_sdk_synthetic/report_run.json", "", _one("/{ws}/reports/{report}/runs/{run}")),
    Real("mode_sdk_synthetic/report_schedule.json", "", _weekly_schedule),
    Real("mode_sdk_synthetic/query_run_failed.json", "", _failed_query_run),
    Real("mode_sdk_synthetic/space.json", "", _one("/{ws}/spaces/{space}")),
    Real("mode_sdk_synthetic/spaces_page_envelope.json", "", _one("/{ws}/spaces?filter=all"), links=True),
    Real("issues/openmetadata_14578_400_body.json", "", _one("/account"), links=True),
)

_SINCE_2021 = "came after 2021; newer bodies and the description have it"
_PARTIAL = "the author of this body selected some keys; fuller bodies have it"
_TEXT = "a decimal string in new bodies, a number in older ones: the quirk ids_as_text"
REASONS = (
    (r"datahub/(reports|spaces|queries)_list.*", r"extra .*", _SINCE_2021),
    (r"datahub/account.*", r"extra .*", "of the description, which knows accounts of workspaces as well as persons'"),
    (r"odd_collector/.*", r"extra ssl_trusted_cert", "of the description, which is newer"),
    (r"mode_docs/report_schedule.*", r"extra .*", "the documentation's example is of 2020; live responses have it"),
    (r"mode_docs/discovery_reports.*", r"extra last_(run|viewed)_at", "documented in words, not in the example"),
    (r"mode_docs/discovery_report_stats.*", r"(missing total_views_count|extra view_count)", "clients read view_count"),
    (r"mode_sdk_synthetic/.*", r"extra .*", _PARTIAL),
    (r"mode_sdk_synthetic/.*", r"type (id|account_id|data_source_id)\b.*", _TEXT),
)
"""Patterns of bodies and differences, with the reason why they are allowed."""


@dataclass(frozen=True)
class Difference:
    """One difference; its reason is None if it is not allowed."""

    file: str
    what: str
    reason: str | None


def differences(real: Real, sample: Sample) -> Iterator[Difference]:
    """Yield the differences between the emulator's response and a real body."""
    theirs, ours = keys_of_real(real.file), parts([real.ours(sample)], real)
    found = [f"missing {name}" for name in theirs.keys() - ours.keys()]
    found += [f"extra {name}" for name in ours.keys() - theirs.keys()]
    for name in theirs.keys() & ours.keys():
        expected, said = theirs[name] - {"null"}, ours[name] - {"null"}
        if expected and said and not said <= expected:
            found.append(f"type {name}: {'/'.join(sorted(said))}, not {'/'.join(sorted(expected))}")
    for what in sorted(found):
        reasons = (reason for files, whats, reason in REASONS if _is(files, real.file) and _is(whats, what))
        yield Difference(real.file, what, next(reasons, None))


def _is(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


def parts(bodies: list[Body], real: Real) -> dict[str, set[str]]:
    """Return the types of every key, counter, link and form in the bodies."""
    found: dict[str, set[str]] = {}
    for body in bodies:
        for name, value in body.items():
            if name in {"_links", "_forms", "pagination", "_embedded"}:
                if real.links or name == "pagination":
                    for inner, item in value.items():
                        found.setdefault(f"{name}.{inner}", set()).add(_type(item))
            else:
                found.setdefault(name, set()).add(_type(value))
    return found


def _type(value: Any) -> str:
    return _TYPES.get(type(value), "null")


def main() -> None:
    """Print the table."""
    with StudioEmulator("acme", reports=60, seed=5, now=datetime(2026, 6, 1, 12, tzinfo=UTC), speed=0) as emulator:
        sample = Sample(emulator)
        print("| body | same | difference | reason |\n|---|---|---|---|")
        for real in REAL:
            found = list(differences(real, sample))
            same = len(parts([real.ours(sample)], real)) - sum(
                not difference.what.startswith("missing") for difference in found
            )
            grouped: dict[str | None, list[str]] = {}
            for difference in found:
                grouped.setdefault(difference.reason, []).append(difference.what)
            for reason, whats in grouped.items() or [("", ["none"])]:
                print(f"| {real.file} | {same} | {', '.join(whats)} | {reason} |")


if __name__ == "__main__":
    main()
