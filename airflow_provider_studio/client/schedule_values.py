# SPDX-License-Identifier: Apache-2.0
"""The input that creates a schedule, and how it is read from a response that describes one.

Backups depend on this reading: a response that is incomplete, or contradicts itself, is refused, never guessed.
Parameters are user data and may have any name, so the shape of a form never decides what they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.time_zones import ZONES

_CRON = ("freq", "hour", "minute", "time_zone", "day_of_week", "day_of_month")
_IN_THE_ROW = {"hour": "cron_hour", "minute": "cron_minute", "time_zone": "time_zone", "day_of_month": "day_of_month"}
"""The keys of cron values in a response outside its form. Days of the week are names there; whether their numbers begin
at 0 or 1 is unknown, so a name cannot be sent back."""
_NEEDED = {
    "hourly": ("minute", "time_zone"),
    "daily": ("hour", "minute", "time_zone"),
    "weekly": ("hour", "minute", "time_zone", "day_of_week"),
    "monthly": ("hour", "minute", "time_zone", "day_of_month"),
}
"""The values that a schedule of this frequency needs."""


class UnfaithfulError(ValueError):
    """A response without the input that would create its schedule again; the message names what is missing."""


class Frequency(StrEnum):
    """How often a schedule fires."""

    EVERY_15_MINUTES = "every_15_minutes"
    EVERY_30_MINUTES = "every_30_minutes"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Cron(BaseModel):
    """When a schedule fires, in the machine's values.

    :param time_zone: a name as Rails writes it, such as `Pacific Time (US & Canada)` or `UTC`.
    :param day_of_week: the original value: sources disagree on 0-6 and 1-7, and on one day or a list.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    freq: Frequency
    hour: int | None = Field(default=None, ge=0, le=23)
    minute: int | None = Field(default=None, ge=0, le=59)
    time_zone: str | None = None
    day_of_week: Any = None
    day_of_month: int | None = Field(default=None, ge=1, le=31)


class ScheduleInput(BaseModel):
    """The input that creates or changes a schedule.

    :param timeout: seconds after which Studio ends a run.
    :param params: parameters of the runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: Cron
    name: str | None = None
    timeout: int | None = Field(default=None, ge=1)
    params: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Create the input from keywords.

        :raises StudioConfigurationError: names the field and what is wrong with it.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise StudioConfigurationError(f"schedule: {_first(error)}.") from None

    def to_json(self) -> dict[str, Any]:
        """Return the body of a request, in the wrapper that live forms use; null parameters are included."""
        known = self.model_dump(mode="json", exclude_none=True, exclude={"params"})
        return {"report_schedule": {**known, "params": self.model_dump(mode="json")["params"]}}


def cron_of(body: Mapping[str, Any]) -> Cron:
    """Return when the schedule of a response fires.

    :raises UnfaithfulError: the response does not contain it.
    """
    form = _form(body).get("cron")
    fields = form if isinstance(form, Mapping) else {"freq": body.get("frequency")}
    values = {name: _value(field) for name, field in fields.items()}
    for name in _NEEDED.get(str(values.get("freq")), ()):
        if values.get(name) is None:
            values[name] = _from_row(name, body, is_null=name in fields and not _is_silent(fields[name]))
    try:
        return Cron.model_validate(values)
    except ValidationError as error:
        raise UnfaithfulError(f"cron.{_first(error)}") from None


def values_of(body: Mapping[str, Any]) -> ScheduleInput:
    """Return the input that would create the schedule of a response again.

    :raises UnfaithfulError: the response does not contain it, or contradicts itself.
    """
    form = _form(body)
    if "cron" not in form and "_forms" in body:
        raise UnfaithfulError("_forms.edit does not hold its values")
    if "cron" not in form and not {"name", "timeout", "parameters"} <= set(body):
        raise UnfaithfulError("the response has no _forms, and lacks name, timeout or parameters")
    values: dict[str, Any] = {"cron": cron_of(body), "params": _parameters(body, form)}
    for name in ("name", "timeout"):
        values[name] = body.get(name) if _is_silent(form.get(name, {})) else _value(form[name])
    try:
        return ScheduleInput.model_validate(values)
    except ValidationError as error:
        raise UnfaithfulError(_first(error)) from None


def plain(value: object) -> str:
    """Return a cron value for comparison; it is a number or text, alone or in a list."""
    parts: Sequence[object] = value if isinstance(value, list | tuple) else [value]
    return ",".join("" if part is None else str(part) for part in parts).replace(" ", "").strip("[]")


def is_same_json(left: object, right: object) -> bool:
    """Whether two values are the same JSON; unlike in Python, `true` is not 1."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _form(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of the edit form; empty if the response has none."""
    form: Any = body.get("_forms")
    for name in ("edit", "input", "report_schedule"):
        form = form.get(name) if isinstance(form, Mapping) else None
    return form if isinstance(form, Mapping) else {}


def _value(field: Any) -> Any:
    """Return the value of a field of a form: fields are `{"type": …, "value": …}`, and `value` may be missing."""
    return field.get("value") if isinstance(field, Mapping) else field


def _is_silent(field: Any) -> bool:
    """Whether a field of a form has no value, which differs from null."""
    return isinstance(field, Mapping) and "value" not in field


def _from_row(name: str, body: Mapping[str, Any], *, is_null: bool) -> Any:
    """Return a cron value that is not in the form, from the response's own keys.

    :param is_null: whether the value in the form is null.
    """
    if name == "day_of_week" and body.get(name) is not None:
        raise UnfaithfulError("cron.day_of_week has no value in _forms.edit; the names of days cannot be sent back")
    found = body.get(_IN_THE_ROW.get(name, ""))
    if name == "time_zone" and found is not None and found not in ZONES:
        raise UnfaithfulError(f"cron.time_zone has no value in _forms.edit, and the API takes no name {found!r}")
    if found is None and not is_null:
        raise UnfaithfulError(f"cron.{name} has no value")
    return found


def _parameters(body: Mapping[str, Any], form: Mapping[str, Any]) -> Any:
    """Return the schedule's parameters: the response's `parameters`, if the form does not contradict them.

    The form holds them bare, inside a field, or as a field each; a parameter may be called `type` or `value`, so only
    `parameters` distinguishes these forms.
    """
    returned, field = body.get("parameters") or {}, form.get("params")
    if field is None:
        if returned and "params" in form:
            raise UnfaithfulError("parameters has values and params in _forms.edit is null")
        return returned
    if "parameters" not in body and field:
        raise UnfaithfulError("parameters is missing, and params in _forms.edit alone can be read in several ways")
    if not any(is_same_json(reading or {}, returned) for reading in _readings(field)):
        raise UnfaithfulError(f"parameters ({_names(returned)}) and params in _forms.edit ({_names(field)}) disagree")
    return returned


def _readings(field: Any) -> list[Any]:
    """Return the possible meanings of the form's `params`."""
    readings = [field]
    if isinstance(field, Mapping):
        if "value" in field:
            readings.append(field["value"])
        if field and all(isinstance(part, Mapping) and "value" in part for part in field.values()):
            readings.append({name: part["value"] for name, part in field.items()})
    return readings


def _names(values: Any) -> str:
    return ", ".join(sorted(values)) or "none" if isinstance(values, Mapping) else type(values).__name__


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])} is {first['input']!r}; {first['msg']}"
