# SPDX-License-Identifier: Apache-2.0
"""The workspace itself: accounts, members, Collections, data sources."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Collection, DataSource, Person, token_for
from airflow_provider_studio.emulator.serializers.hal import Body, View, link
from airflow_provider_studio.emulator.serializers.reports import ACCOUNT_ID


def serialize_account(view: View, person: Person | None, *, email: bool = False) -> Body:
    """Return the workspace's account, or a person's; others do not see a person's e-mail address."""
    username = view.workspace.name if person is None else person.username
    path = f"/api/{username}"
    token = token_for("workspace" if person is None else "member", username)
    oldest = min((report.created_at for report in view.workspace.reports.values()), default=view.now)
    return {
        "username": username,
        "name": username.title() if person is None else person.name,
        "id": view.workspace.id(ACCOUNT_ID if person is None else int(token[:5], 16)),
        "token": token,
        "email": person.email if email and person else None,
        "dataset_size_limit_mb": 10,
        "query_run_size_limit_mb": 1000,
        "email_verified": True,
        "avatar": {"type": "initials", "initials": username[:2].upper(), "seed": token},
        "user": person is not None,
        "space_count": 0,  # wrong, like the real service
        "data_source_count": len(view.workspace.data_sources),
        "organizations_count": 0 if person is None else 1,
        "trial_state": "expired",
        "membership_type": "admin" if person is None or person.admin else "full",
        "plan_code": "plus",
        "default_data_source_token": next(iter(view.workspace.data_sources), None),
        "organization_restricted": False,
        "payment_method_confirmed": True,
        "private_definition_count": 0,
        "private_definition_limit": 5,
        "authorized_domains": [],
        "seat_limit_reached": False,
        "org_seat_limit_reached": False,
        "python_performance_first_tier": True,
        "admin_data_source_connections_only": False,
        "admin_collection_creation_only": False,
        "scim_enabled": False,
        "thoughtspot_integrated": True,
        "settings": {},
        "created_at": stamp(oldest),
        "_links": _account_links(path, person),
    }


def _account_links(path: str, person: Person | None) -> Body:
    links = {
        "self": link(path),
        "reports": link(f"{path}/reports"),
        "report": link(f"{path}/reports{{/id}}", templated=True),
        "archived_reports": link(f"{path}/reports?filter=archived"),
        "drafts_reports": link(f"{path}/reports?filter=drafts"),
        "by_ids_reports": link(f"{path}/reports?filter=by_ids&ids={{ids}}", templated=True),
        "viewed_reports": link(f"{path}/reports?filter=viewed"),
        "report_views": link(f"{path}/report_views"),
        "spaces": link(f"{path}/collections"),
        "space": link(f"{path}/collections{{/id}}", templated=True),
        "custom_spaces": link(f"{path}/collections?filter=custom"),
        "move_to_spaces": link(f"{path}/collections?filter=editable"),
        "data_sources": link(f"{path}/data_sources"),
        "definitions": link(f"{path}/definitions"),
        "new_report": link(f"{path}/reports/new"),
    }
    if person is None:
        links |= {
            "schedules": link(f"{path}/schedules"),
            "memberships_lite": link(f"{path}/memberships/lite"),
            "groups": link(f"{path}/groups"),
            "api_keys": link(f"{path}/api_keys"),
        }
    return links


def serialize_membership(view: View, person: Person) -> Body:
    """Return a person's membership of the workspace."""
    path = f"{view.root}/memberships/{token_for('membership', person.username)}"
    return {
        "admin": person.admin,
        "invited": False,
        "state": "active",
        "member_username": person.username,
        "member_token": token_for("member", person.username),
        "activated_at": stamp(oldest_data_source(view)),
        "managed_by_scim": False,
        "_links": {
            "self": link(path),
            "web_self": link(f"/organizations/{view.workspace.name}/memberships/{person.username}"),
            "organization": link(view.root),
            "user": link(f"/api/{person.username}"),
            "groups": link(f"{view.root}/groups"),
        },
    }


def serialize_membership_lite(person: Person) -> Body:
    """Return a person as in the short list of members."""
    return {
        "email": person.email,
        "name": person.name,
        "username": person.username,
        "admin": person.admin,
        "state": "active",
        "member_token": token_for("member", person.username),
    }


def serialize_collection(view: View, collection: Collection, *, alone: bool = True) -> Body:
    """Return a Collection as a single resource (`alone`), or as in a list, where it is never `viewable?`."""
    path = f"{view.root}/collections/{collection.token}"
    return {
        "token": collection.token,
        "id": view.workspace.id(collection.id),
        "space_type": collection.space_type,
        "name": collection.name,
        "description": collection.description,
        "state": "active",
        "schema_name": None,
        "restricted": collection.restricted,
        "free_default": collection.space_type == "community",
        "viewable?": alone,
        "viewed?": True,
        "default_access_level": collection.access_level or ("restricted" if collection.restricted else "edit"),
        "_links": {
            "self": link(path),
            "detail": link(f"{path}/detail"),
            "space_report_pins": link(f"{path}/report_pins"),
            "web": link(f"/{view.workspace.name}/spaces/{collection.token}"),
            "reports": link(f"{path}/reports"),
            "creator": link(f"/api/{collection.owner or collection.creator or next(iter(view.workspace.people))}"),
            "user_space_membership": link(f"{path}/memberships/{token_for(collection.token, 'me')}"),
            "space_memberships": link(f"{path}/memberships"),
            "preview_space_memberships": link(f"{path}/memberships/preview"),
            "search_space_permissions": link(f"{path}/permissions/search"),
            "viewed": link(f"{path}/viewed"),
        },
        "_forms": {"destroy_entitlements": {"method": "delete", "action": f"{path}/permissions"}},
    }


def serialize_data_source(view: View, source: DataSource) -> Body:
    """Return a connection of the workspace to a warehouse."""
    path = f"{view.root}/data_sources/{source.token}"
    web = f"/{{}}/{view.workspace.name}/data_sources/{source.token}"
    return {
        "id": view.workspace.id(source.id),
        "name": source.name,
        "description": source.description,
        "token": source.token,
        "adapter": f"jdbc:{source.vendor}",
        "created_at": stamp(source.created_at),
        "updated_at": stamp(source.updated_at),
        "has_expensive_schema_updates": False,
        "public": False,
        "asleep": False,
        "queryable": True,
        "soft_deleted": False,
        "display_name": source.name,
        "account_id": view.workspace.id(ACCOUNT_ID),
        "account_username": view.workspace.name,
        "organization_token": token_for("workspace", view.workspace.name),
        "organization_plan_code": "plus",
        "database": "analytics",
        "host": "warehouse.example.com",
        "port": 5439,
        "ssl": True,
        "username": "studio",
        "provider": "default",
        "vendor": source.vendor,
        "ldap": False,
        "warehouse": None,
        "bridged": False,
        "adapter_version": "1.0.0",
        "custom_attributes": {},
        "ssl_trusted_cert": None,
        "default_access_level": "Query",
        "_links": {
            "self": link(path),
            "creator": link(f"/api/{next(iter(view.workspace.people))}"),
            "account": link(view.root),
            "permissions": link(f"{path}/permissions"),
            "web": link(web.format("organizations")),
            "web_home": link(web.format("home")),
        },
    }


def oldest_data_source(view: View) -> datetime:
    """Return when the workspace got its first data source; its members are as old."""
    return min((source.created_at for source in view.workspace.data_sources.values()), default=view.now)
