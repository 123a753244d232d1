# SPDX-License-Identifier: Apache-2.0
"""The workspace itself: accounts, members, Collections, data sources."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Collection, DataSource, Person, token_for
from airflow_provider_studio.emulator.serializers.hal import Body, View, link
from airflow_provider_studio.emulator.serializers.reports import ACCOUNT_ID


def account(view: View, person: Person | None, *, email: bool = False) -> Body:
    """The workspace's account, or a person's; nobody's e-mail is told to others."""
    username = view.world.workspace if person is None else person.username
    path = f"/api/{username}"
    token = token_for("workspace" if person is None else "member", username)
    oldest = min((one.created_at for one in view.world.reports.values()), default=view.now)
    return {
        "username": username,
        "name": username.title() if person is None else person.name,
        "id": view.world.id(ACCOUNT_ID if person is None else int(token[:5], 16)),
        "token": token,
        "email": person.email if email and person else None,
        "dataset_size_limit_mb": 10,
        "query_run_size_limit_mb": 1000,
        "email_verified": True,
        "avatar": {"type": "initials", "initials": username[:2].upper(), "seed": token},
        "user": person is not None,
        "space_count": 0,  # wrongly, as the real one does
        "data_source_count": len(view.world.data_sources),
        "organizations_count": 0 if person is None else 1,
        "trial_state": "expired",
        "membership_type": "admin" if person is None or person.admin else "full",
        "plan_code": "plus",
        "default_data_source_token": next(iter(view.world.data_sources), None),
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


def membership(view: View, person: Person) -> Body:
    """A person's membership of the workspace."""
    path = f"{view.root}/memberships/{token_for('membership', person.username)}"
    return {
        "admin": person.admin,
        "invited": False,
        "state": "active",
        "member_username": person.username,
        "member_token": token_for("member", person.username),
        "activated_at": stamp(_long_ago(view)),
        "managed_by_scim": False,
        "_links": {
            "self": link(path),
            "web_self": link(f"/organizations/{view.world.workspace}/memberships/{person.username}"),
            "organization": link(view.root),
            "user": link(f"/api/{person.username}"),
            "groups": link(f"{view.root}/groups"),
        },
    }


def membership_lite(person: Person) -> Body:
    """A person as the short list of members has them."""
    return {
        "email": person.email,
        "name": person.name,
        "username": person.username,
        "admin": person.admin,
        "state": "active",
        "member_token": token_for("member", person.username),
    }


def collection(view: View, one: Collection) -> Body:
    """A Collection."""
    path = f"{view.root}/collections/{one.token}"
    return {
        "token": one.token,
        "id": view.world.id(one.id),
        "space_type": one.space_type,
        "name": one.name,
        "description": one.description,
        "state": "active",
        "schema_name": None,
        "restricted": one.restricted,
        "free_default": one.space_type == "community",
        "viewable?": True,
        "viewed?": True,
        "default_access_level": "restricted" if one.restricted else "edit",
        "_links": {
            "self": link(path),
            "detail": link(f"{path}/detail"),
            "space_report_pins": link(f"{path}/report_pins"),
            "web": link(f"/{view.world.workspace}/spaces/{one.token}"),
            "reports": link(f"{path}/reports"),
            "creator": link(f"/api/{one.owner or one.creator or next(iter(view.world.people))}"),
            "user_space_membership": link(f"{path}/memberships/{token_for(one.token, 'me')}"),
            "space_memberships": link(f"{path}/memberships"),
            "preview_space_memberships": link(f"{path}/memberships/preview"),
            "search_space_permissions": link(f"{path}/permissions/search"),
            "viewed": link(f"{path}/viewed"),
        },
        "_forms": {"destroy_entitlements": {"method": "delete", "action": f"{path}/permissions"}},
    }


def data_source(view: View, one: DataSource) -> Body:
    """A connection of the workspace to a warehouse."""
    path = f"{view.root}/data_sources/{one.token}"
    web = f"/{{}}/{view.world.workspace}/data_sources/{one.token}"
    return {
        "id": view.world.id(one.id),
        "name": one.name,
        "description": one.description,
        "token": one.token,
        "adapter": f"jdbc:{one.vendor}",
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "has_expensive_schema_updates": False,
        "public": False,
        "asleep": False,
        "queryable": True,
        "soft_deleted": False,
        "display_name": one.name,
        "account_id": view.world.id(ACCOUNT_ID),
        "account_username": view.world.workspace,
        "organization_token": token_for("workspace", view.world.workspace),
        "organization_plan_code": "plus",
        "database": "analytics",
        "host": "warehouse.example.com",
        "port": 5439,
        "ssl": True,
        "username": "studio",
        "provider": "default",
        "vendor": one.vendor,
        "ldap": False,
        "warehouse": None,
        "bridged": False,
        "adapter_version": "1.0.0",
        "custom_attributes": {},
        "ssl_trusted_cert": None,
        "default_access_level": "Query",
        "_links": {
            "self": link(path),
            "creator": link(f"/api/{next(iter(view.world.people))}"),
            "account": link(view.root),
            "permissions": link(f"{path}/permissions"),
            "web": link(web.format("organizations")),
            "web_home": link(web.format("home")),
        },
    }


def _long_ago(view: View) -> datetime:
    return min((one.created_at for one in view.world.data_sources.values()), default=view.now)
