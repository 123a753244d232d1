# SPDX-License-Identifier: Apache-2.0
"""Styles, scripts and icons, all from this package: nothing is asked of another host."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from airflow_provider_studio.plugin.rendering import HERE

router = APIRouter()
_FILES = {
    path.relative_to(HERE / "static").as_posix(): path
    for path in (HERE / "static").rglob("*")
    if path.suffix in {".css", ".js", ".svg"}
}


@router.get("/static/{name:path}")
def static(name: str) -> FileResponse:
    """Return one of the package's own files; the names are a fixed set, so no path leads elsewhere."""
    if name not in _FILES:
        raise HTTPException(404, f"There is no file {name!r}.")
    return FileResponse(_FILES[name], headers={"Cache-Control": "private, max-age=3600"})
