# SPDX-License-Identifier: Apache-2.0
"""Find Reports by the names that people give them. A name counts only if exactly one Report has it.

Names are compared like those of protections: case, Unicode form and runs of white space are ignored. A text with the
form of a token, an address or an action's id is never a name, so a Report cannot be named to be taken for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identifiers import has_token_form, is_report_address
from airflow_provider_studio.governance.file_names import parsed_action_id
from airflow_provider_studio.governance.plans.patterns import canonical
from airflow_provider_studio.governance.text import counted

_MOST_CANDIDATES = 10


class NamedReport(NamedTuple):
    """A Report that a name may mean.

    :param collection: the name of its Collection, or its token.
    """

    token: str
    name: str | None
    collection: str | None

    def __str__(self) -> str:
        place = "no Collection" if self.collection is None else f"Collection {self.collection}"
        return f"{self.token} ({self.name!r}, {place})"


def is_reference(text: str) -> bool:
    """Whether a text has the form of a token, an address or an action's id, and so is not a name."""
    action = parsed_action_id(text)
    return has_token_form(text) or is_report_address(text) or (action is not None and has_token_form(action.report))


def tokens_of_names(
    parameter: str, names: Iterable[str], reports: Iterable[NamedReport], *, place: str
) -> dict[str, str]:
    """Return the token of the Report that each name means.

    :param reports: the Reports that a name may mean.
    :param place: where these Reports are, for the error: "the newest snapshot".
    :raises StudioConfigurationError: no Report, or several, have a name. Lists the candidates.
    """
    by_token = {report.token: report for report in reports}
    by_name: dict[str, list[NamedReport]] = {}
    for report in by_token.values():
        if report.name:
            by_name.setdefault(canonical(report.name), []).append(report)
    return {name: _token(parameter, name, by_token, by_name, place) for name in names}


def _token(
    parameter: str,
    name: str,
    by_token: Mapping[str, NamedReport],
    by_name: Mapping[str, list[NamedReport]],
    place: str,
) -> str:
    if name in by_token:
        return name
    found = by_name.get(canonical(name), [])
    if len(found) == 1:
        return found[0].token
    if found:
        raise StudioConfigurationError(
            f"{parameter} names {name!r}, and {counted(len(found), 'Report')} of {place} have this name. Give the "
            f"token of one instead: {_listed(found)}. Nothing was touched."
        )
    similar = [
        report for match in get_close_matches(canonical(name), by_name, n=_MOST_CANDIDATES) for report in by_name[match]
    ]
    candidates = f"Similar names: {_listed(similar)}" if similar else "None has a similar name"
    raise StudioConfigurationError(
        f"{parameter} names {name!r}, and no Report of {place} has this name or token. {candidates}. Nothing was "
        "touched."
    )


def _listed(reports: list[NamedReport]) -> str:
    more = f" and {len(reports) - _MOST_CANDIDATES} more" if len(reports) > _MOST_CANDIDATES else ""
    return ", ".join(map(str, reports[:_MOST_CANDIDATES])) + more
