# SPDX-License-Identifier: Apache-2.0
"""Limits of a deployment: what no policy, parameter or run may exceed.

The people who operate Airflow set them; the people who write DAGs and trigger runs can only be stricter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.permissions import Permissions
from airflow_provider_studio.governance.errors import ApprovalError
from airflow_provider_studio.governance.plans.policy import PROTECTED, StalenessPolicy
from airflow_provider_studio.governance.plans.protections import Protection, Protections, ReportTexts

__all__ = ["DeploymentLimits"]

_YES, _NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class DeploymentLimits:
    """The limits of a deployment. The defaults limit nothing, except for the results of private Collections.

    :param approval_required: nothing is archived or deleted without an approval in Airflow.
    :param max_actions: the largest `max_actions` of any task.
    :param max_share: the largest `max_share` of any task, above 0 and at most 1.
    :param max_collection_share: the largest `max_collection_share` of any task.
    :param protected_collections: tokens or names of Collections whose Reports are never touched.
    :param protected_reports: tokens of Reports that are never touched.
    :param protected_owners: user names whose Reports are never touched.
    :param protected_names: patterns of names that are never touched.
    :param export_private_collections: whether a Workspace token may export results of Reports in private Collections.
    :param read_only_requests: requests that a DAG writes itself (`StudioClient.request`) may only be GETs.
    :param allow_purges: whether stored results may be deleted.
    """

    approval_required: bool = False
    max_actions: int | None = None
    max_share: float | None = None
    max_collection_share: float | None = None
    protected_collections: tuple[str, ...] = ()
    protected_reports: tuple[str, ...] = ()
    protected_owners: tuple[str, ...] = ()
    protected_names: tuple[str, ...] = ()
    export_private_collections: bool = False
    read_only_requests: bool = False
    allow_purges: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Self:
        """Return limits from values or their texts; missing and empty ones have the defaults.

        :param where: where the values are set, for error messages.
        :raises StudioConfigurationError: names the place, the option, the value and the fix.
        """
        given = {name: values[name] for name in _PARSERS if _is_set(values, name)}
        return cls(**{name: _PARSERS[name](f"{where} {name}", value) for name, value in given.items()})

    def stricter(self, other: Mapping[str, Any], where: str) -> Self:
        """Return these limits made stricter by other values; a value that would loosen a limit has no effect.

        :raises StudioConfigurationError: as in `of`.
        """
        more = DeploymentLimits.of(other, where)
        may_export = more.export_private_collections or not _is_set(other, "export_private_collections")
        may_purge = more.allow_purges or not _is_set(other, "allow_purges")
        return type(self)(
            approval_required=self.approval_required or more.approval_required,
            max_actions=_smaller(self.max_actions, more.max_actions),
            max_share=_smaller(self.max_share, more.max_share),
            max_collection_share=_smaller(self.max_collection_share, more.max_collection_share),
            export_private_collections=self.export_private_collections and may_export,
            read_only_requests=self.read_only_requests or more.read_only_requests,
            allow_purges=self.allow_purges and may_purge,
            **{name: tuple(dict.fromkeys((*getattr(self, name), *getattr(more, name)))) for name in PROTECTED},
        )

    @property
    def permissions(self) -> Permissions:
        """What a client may do without a plan: where a change needs an approval, no purge and no change by request."""
        return Permissions(
            changes_by_request=not (self.read_only_requests or self.approval_required),
            purges=self.allow_purges and not self.approval_required,
        )

    def check_waiver(self, what: str) -> None:
        """Refuse to act without an approval if the deployment requires one.

        :param what: what acts without one, as the subject of a sentence.
        :raises ApprovalError: the deployment requires an approval.
        """
        if self.approval_required:
            raise ApprovalError(
                f"{what}, but this deployment requires an approval (approval_required of [studio] or of the "
                "connection). Create a plan with StudioPlanOperator, let StudioApprovePlanOperator ask for approval, "
                "and pass what it returned as approval. Nothing was touched."
            )

    def policy_of(self, policy: StalenessPolicy) -> StalenessPolicy:
        """Return a policy that has the protections of the deployment besides its own."""
        united = {name: tuple(dict.fromkeys((*getattr(policy, name), *getattr(self, name)))) for name in PROTECTED}
        return StalenessPolicy(**{**policy.model_dump(), **united})

    def protection(self, report: ReportTexts) -> Protection | None:
        """Return the protection of the deployment that covers a Report, or None."""
        return next(iter(self._protections.of(report)), None)

    @cached_property
    def _protections(self) -> Protections:
        return Protections({name: getattr(self, name) for name in PROTECTED} | {"keep_mark": ()})


def _is_set(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) is not None and values[name] != ""


def _smaller(first: Any, second: Any) -> Any:
    return min((value for value in (first, second) if value is not None), default=None)


def _flag(name: str, value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in _YES | _NO:
        raise StudioConfigurationError(f"{name} is {value!r}; it must be true or false.")
    return text in _YES


def _count(name: str, value: Any) -> int:
    number = _parsed(value)
    if not number >= 1 or not number.is_integer():
        raise StudioConfigurationError(f"{name} is {value!r}; it must be a whole number of 1 or more.")
    return int(number)


def _share(name: str, value: Any) -> float:
    number = _parsed(value)
    if not 0 < number <= 1:
        raise StudioConfigurationError(f"{name} is {value!r}; it must be above 0 and at most 1 (0.05 is 5 %).")
    return number


def _parsed(value: Any) -> float:
    """Return a finite number, or NaN, which every comparison rejects."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """Return a list of texts, a JSON list, or texts separated by commas."""
    texts = value
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):  # a pattern may begin with a bracket
            texts = json.loads(value)
    if isinstance(texts, str):
        texts = [text.strip() for text in texts.split(",")]
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise StudioConfigurationError(
            f"{name} is {value!r}; it must be texts separated by commas, or a JSON list of texts, none of them empty."
        )
    return tuple(texts)


_PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "approval_required": _flag,
    "max_actions": _count,
    "max_share": _share,
    "max_collection_share": _share,
    **dict.fromkeys(PROTECTED, _texts),
    "export_private_collections": _flag,
    "read_only_requests": _flag,
    "allow_purges": _flag,
}
LIMITS = tuple(field.name for field in fields(DeploymentLimits))
"""The names of the limits: options of `[studio]`, and extras of a connection."""
