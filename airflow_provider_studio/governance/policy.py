# SPDX-License-Identifier: Apache-2.0
"""What stale means, as an admin says it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_studio.governance.errors import PolicyError

Days = Annotated[int, Field(strict=True, ge=1, le=3650)]
Names = tuple[Annotated[str, Field(min_length=1)], ...]


class StalenessPolicy(BaseModel):
    """When a Report is stale. Everything is in days, and all conditions must hold.

    A Report is stale if it is not archived, is `minimum_age_days` old, was not edited within `unviewed_days`, is
    *proven* not to have been viewed for `unviewed_days`, and, where `unrun_days` is set, was not run by a person for
    so long. A schedule's runs are no sign of life.

    :param unviewed_days: how long without a view; needs a snapshot at least that old, or a view count of 0.
    :param unrun_days: how long without a run by a person; None does not look at runs.
    :param minimum_age_days: younger Reports are left alone.
    :param protected_collections: tokens or names of Collections whose Reports are left alone.
    :param protected_reports: tokens of Reports that are left alone.
    :param protected_names: patterns of names (`*`, `?`, `[…]`; case does not matter) that are left alone.
    :raises PolicyError: names the field, the value and the mend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unviewed_days: Days = 90
    unrun_days: Days | None = None
    minimum_age_days: Annotated[int, Field(strict=True, ge=0, le=3650)] = 30
    protected_collections: Names = ()
    protected_reports: Names = ()
    protected_names: Names = ()

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise PolicyError(_explained(error)) from None

    @classmethod
    def of(cls, policy: StalenessPolicy | Mapping[str, Any]) -> StalenessPolicy:
        """Return the policy that an object or its fields stand for."""
        return policy if isinstance(policy, StalenessPolicy) else cls(**policy)

    def protects_collection(self, token: str | None, name: str | None) -> bool:
        """Whether Reports of this Collection are left alone."""
        return bool({token, name} & set(self.protected_collections))

    def protecting_pattern(self, name: str | None) -> str | None:
        """Return the pattern that protects a Report of this name."""
        folded = (name or "").casefold()
        return next((one for one in self.protected_names if fnmatchcase(folded, one.casefold())), None)

    def describe(self) -> str:
        """Return the policy as one sentence."""
        ran = "" if self.unrun_days is None else f", nor run by a person for {self.unrun_days} days"
        spared = [
            f"{what} {', '.join(names)}"
            for what, names in (
                ("Collections", self.protected_collections),
                ("Reports", self.protected_reports),
                ("names like", self.protected_names),
            )
            if names
        ]
        protected = f"; never touched: {'; '.join(spared)}" if spared else ""
        return (
            f"A Report is stale when it was not viewed or edited for {self.unviewed_days} days{ran}, "
            f"and is at least {self.minimum_age_days} days old{protected}."
        )


def _explained(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "policy"
    if first["type"] == "extra_forbidden":
        known = ", ".join(StalenessPolicy.model_fields)
        return f"policy: there is no field {name!r}; the fields are {known}."
    mend = "Use whole days from 1 to 3650" if name.endswith("_days") else "Use a list of non-empty texts"
    if name == "minimum_age_days":
        mend = "Use whole days from 0 to 3650"
    return f"policy: {name} is {first['input']!r}; {first['msg'].lower()}. {mend}."
