# SPDX-License-Identifier: Apache-2.0
"""The options of Airflow's `[studio]` section, each with a default."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import conf

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.response_limits import MAX_DOWNLOAD_MB, MAX_RESPONSE_MB
from airflow_provider_studio.governance.storage import check_lengths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upath import UPath

    from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
    from airflow_provider_studio.governance.signing import Signer

_SECTION = "studio"
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def _home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute() / "studio"


def storage(path: str | None = None) -> UPath:
    """Return the storage root: `path` if given, else `[studio] storage_path`, else a folder under Airflow's home.

    :raises StudioConfigurationError: no installed package opens such a storage, or the path is relative.
    """
    from airflow.sdk import ObjectStoragePath

    root = _absolute(_expanded(path or conf.get(_SECTION, "storage_path", fallback=None) or f"file://{_home()}"))
    try:
        # Airflow's class delegates every method of a UPath.
        opened = cast("UPath", ObjectStoragePath(root))
        files = opened.fs
    except (ImportError, ValueError) as error:
        raise StudioConfigurationError(
            f"Storage at {root} cannot be opened: {error}. Install the Airflow provider of that storage on every host, "
            "such as apache-airflow-providers-amazon[s3fs] for s3, or set [studio] storage_path to another."
        ) from None
    # Other hosts write there too: fsspec caches listings for the life of the process, which would hide their files.
    files.dircache.use_listings_cache = False
    files.invalidate_cache()
    return opened


def _absolute(root: str) -> str:
    """Return an expanded storage root if it is absolute.

    :raises StudioConfigurationError: it is relative.
    """
    scheme, found, folder = root.rpartition("://")
    if (found and scheme not in {"file", "local"}) or Path(folder).is_absolute():
        return root
    raise StudioConfigurationError(
        f"The storage is {root!r}, which is relative to the working directory of each process. Set [studio] "
        f"storage_path to an absolute path, such as {_home()}, or to a URL such as s3://bucket/studio."
    )


def _expanded(path: str) -> str:
    """Return a path or URL with `~` and variables of the environment expanded, wherever it was configured.

    :raises StudioConfigurationError: a variable or the home folder is unknown.
    """
    scheme, found, folder = os.path.expandvars(path).rpartition("://")
    if not found or scheme in {"file", "local"}:
        folder = os.path.expanduser(folder)  # noqa: PTH111  Path's raises an error if there is no home
    unset = _VARIABLE.search(folder)
    if unset is not None or folder.startswith("~"):
        missing = f"the variable {unset[1]}" if unset else "the home folder"
        raise StudioConfigurationError(
            f"The path {path!r} needs {missing}, which is not known to this process; set it on every host, or write "
            "the path without it."
        )
    return f"{scheme}{found}{folder}"


def in_storage(path: str, storage_path: str | None = None) -> UPath:
    """Return an absolute path or a URL as it is, and resolve a relative path against the storage root.

    :param storage_path: the storage root of the task, if it is not that of the settings.
    :raises StudioConfigurationError: the path contains `..`: what a template renders must not leave the folder that the
        DAG's author wrote. Or a file or folder on a disk would have a name that is too long.
    """
    if ".." in path.split("/"):
        raise StudioConfigurationError(f"The path is {path!r}; it must not contain '..'.")
    path = _expanded(path)
    found = storage(path) if path.startswith("/") or "://" in path else storage(storage_path) / path
    check_lengths(found)
    return found


def rate_limit_file() -> Path:
    """Return the ledger's SQLite file under Airflow's home: the default, and the fallback while Redis is down."""
    return _home() / "ratelimit.db"


def page_cache() -> Path:
    """Return the folder under Airflow's home where the API server caches the tables of its pages."""
    return _home() / "page-cache"


def rate_limit_url() -> str:
    """Return `[studio] rate_limit_url`, or the SQLite file under Airflow's home."""
    # The output of a command (rate_limit_url_cmd) ends with a newline.
    return (conf.get(_SECTION, "rate_limit_url", fallback=None) or "").strip() or f"sqlite:///{rate_limit_file()}"


def max_response_mb() -> float:
    """Return `[studio] max_response_mb`: the size in MB at which a response of the API is refused."""
    return _positive("max_response_mb", MAX_RESPONSE_MB)


def max_download_mb() -> float:
    """Return `[studio] max_download_mb`: the size in MB at which the download of an export is refused."""
    return _positive("max_download_mb", MAX_DOWNLOAD_MB)


def _positive(option: str, default: float) -> float:
    text = (conf.get(_SECTION, option, fallback=None) or "").strip()
    try:
        number = float(text) if text else float(default)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise StudioConfigurationError(f"[studio] {option} is {text!r}; it must be a number above 0, in MB.")
    return number


def workspace_teams() -> dict[str, list[str]]:
    """Return `[studio] workspace_teams`: the Airflow teams that may see each workspace's pages.

    :raises StudioConfigurationError: the option is not a JSON object of lists of names.
    """
    text = (conf.get(_SECTION, "workspace_teams", fallback=None) or "").strip() or "{}"
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(_is_list_of_names(teams) for teams in found.values()):
        raise StudioConfigurationError(
            f"[studio] workspace_teams is {text!r}; it must be a JSON object of lists of team names, such as "
            '{"acme": ["analytics"]}.'
        )
    return found


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def signer() -> Signer:
    """Return the signer of plans and journals, whose keys are derived from the options.

    `[studio] signing_key` is used if it is set, else `[core] fernet_key`. Of several keys, separated by commas, the
    first signs. With `off`, nothing is signed.
    """
    from airflow_provider_studio.governance.signing import Signer

    secrets = (conf.get(_SECTION, "signing_key", fallback=None) or "").strip()
    secrets = secrets or (conf.get("core", "fernet_key", fallback=None) or "").strip()
    keys = [] if secrets.lower() == "off" else [key.strip() for key in secrets.split(",")]
    return Signer.of(keys, accepts_unsigned=conf.getboolean(_SECTION, "accept_unsigned", fallback=False))


def limits(extra: Mapping[str, Any]) -> DeploymentLimits:
    """Return the limits of this deployment: the options of `[studio]`, made stricter by a connection's extras.

    :raises StudioConfigurationError: an option or an extra is invalid.
    """
    from airflow_provider_studio.governance.plans.deployment_limits import LIMITS, DeploymentLimits

    options = {name: conf.get(_SECTION, name, fallback=None) for name in LIMITS}
    return DeploymentLimits.of(options, f"[{_SECTION}]").stricter(extra, "the connection's extra")
