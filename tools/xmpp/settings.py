"""What Prosody and ejabberd are told."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

__all__ = ["FEATURES", "ejabberd_yml", "prosody_lua"]

#: What can be left out, and the modules that it is made of: Prosody's, and ejabberd's.
FEATURES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "archive": (("mam",), ("mod_mam",)),
    "blocklist": (("blocklist",), ("mod_blocking",)),
    "carbons": (("carbons",), ("mod_carboncopy",)),
    "csi": (("csi_simple",), ("mod_client_state",)),
    "offline": (("offline",), ("mod_offline",)),
    "pep": (("pep", "bookmarks"), ("mod_pubsub",)),
    "moderation": (("muc_moderation",), ()),
    "ping": (("ping",), ("mod_ping",)),
    "room_archive": (("muc_mam",), ()),
    "smacks": (("smacks",), ("mod_stream_mgmt",)),
    "uploads": (("http_file_share",), ("mod_http_upload",)),
    "vcard": (("vcard4", "vcard_legacy"), ("mod_vcard",)),
}

_PROSODY_MODULES: Final = (
    "admin_shell",
    "blocklist",
    "bookmarks",
    "carbons",
    "csi_simple",
    "disco",
    "http",
    "lastactivity",
    "mam",
    "offline",
    "pep",
    "ping",
    "private",
    "register",
    "register_ibr",
    "roster",
    "saslauth",
    "smacks",
    "time",
    "tls",
    "vcard4",
    "vcard_legacy",
    "version",
)

# What is told before the first VirtualHost is for all.
_PROSODY: Final = """\
run_as_root = {as_root}  -- as root Prosody refuses without it
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}/tls"
log = {{ {{ levels = {{ min = "info" }}, to = "file", filename = "{folder}/log/prosody.log" }} }}
admin_socket = "{folder}/prosody.sock"
network_backend = "epoll"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
s2s_ports = {{}}
component_interfaces = {{ "127.0.0.1" }}
component_ports = {{ {component_port} }}
http_interfaces = {{ "127.0.0.1" }}
http_ports = {{ {http_port} }}
https_interfaces = {{ "127.0.0.1" }}
https_ports = {{ {https_port} }}
ssl = {{ certificate = "{folder}/tls/localhost.crt", key = "{folder}/tls/localhost.key" }}
authentication = "internal_plain"
c2s_require_encryption = true
c2s_stanza_size_limit = {stanza_limit}
allow_registration = true
default_archive_policy = true
max_archive_query_results = {page}
smacks_hibernation_time = {hibernation}
-- In SQLite they outlive a crash; in files, and in memory, an archive of thousands slows down, and is cut off.
storage = {{ archive = "sql", muc_log = "sql", offline = "sql", smacks_h = "memory" }}
sql = {{ driver = "SQLite3", database = "{folder}/data/archive.sqlite" }}
plugin_paths = {{ {plugin_paths} }}
modules_enabled = {{ {enabled} }}
-- "limits" would hold each connection to 10 kB a second.
modules_disabled = {{ "s2s", "limits", {disabled} }}
{more}
VirtualHost "localhost"
Component "{rooms}" "muc"
  modules_enabled = {{ {room_modules} }}
  muc_log_by_default = true
{upload_component}
Component "{pubsub}" "pubsub"
Component "{component}"
  component_secret = "{component_secret}"
"""

_UPLOADS: Final = """\
Component "{uploads}" "http_file_share"
  http_host = "localhost"
  http_external_url = "https://localhost:{https_port}/"
  http_file_share_size_limit = {file_limit}
"""


def prosody_lua(values: Mapping[str, object], *, without: Collection[str], more: Mapping[str, object]) -> str:
    """The file of settings of a Prosody.

    Args:
        values: Ports, folder, names and limits.
        without: Names of features.
        more: Settings of its own for all hosts, over ours.
    """
    out = {module for name in without for module in FEATURES[name][0]}
    return _PROSODY.format(
        **values,
        as_root=str(os.geteuid() == 0).lower(),
        plugin_paths="",
        enabled=_quoted(_PROSODY_MODULES),
        disabled=_quoted(sorted(out)),
        room_modules=_quoted(sorted({"muc_mam", *_moderation()} - out)),
        upload_component="" if "uploads" in without else _UPLOADS.format(**values),
        more="\n".join(f"{name} = {_lua(value)}" for name, value in more.items()),
    )


def _moderation() -> list[str]:
    """The module that is in a package of its own, if that is installed: without the file there would be no rooms."""
    return ["muc_moderation"] if next(Path("/usr/lib/prosody").glob("modules/mod_muc_moderation*"), None) else []


def ejabberd_yml(values: Mapping[str, object], *, without: Collection[str], more: Mapping[str, object]) -> str:
    """The file of settings of an ejabberd: JSON, which is YAML too.

    Args:
        values: Ports, folder, names and limits.
        without: Names of features.
        more: Settings of its own, over ours.
    """
    out = {module for name in without for module in FEATURES[name][1]}
    modules = _ejabberd_modules(values, room_archive=not {"archive", "room_archive"} & set(without))
    settings = {
        "hosts": [values["domain"]],
        "loglevel": "info",
        "registration_timeout": "infinity",  # else there is one registration in ten minutes
        "certfiles": [f"{values['folder']}/tls/all.pem"],
        "ca_file": f"{values['folder']}/tls/ca.pem",
        "listen": _ejabberd_ports(values),
        "auth_method": "internal",
        "auth_password_format": "scram",
        "auth_scram_hash": "sha256",
        # In Mnesia, its own database, an archive of some thousands gets slower than one can wait for, and a crash
        # costs its last messages.
        "sql_type": "sqlite",
        "sql_database": f"{values['folder']}/data/archive.sqlite",
        "default_db": "mnesia",
        "acl": {"local": {"user_regexp": ""}, "loopback": {"ip": ["127.0.0.0/8"]}},
        "access_rules": {"local": {"allow": "local"}},
        "modules": {name: options for name, options in modules.items() if name not in out},
        **more,
    }
    return json.dumps(settings, indent=1)


def _ejabberd_ports(values: Mapping[str, object]) -> list[dict[str, object]]:
    clients: dict[str, object] = {
        "module": "ejabberd_c2s",
        "access": "all",
        "shaper": "none",
        "max_stanza_size": values["stanza_limit"],
    }
    gateway = {"hosts": {values["component"]: {"password": values["component_secret"]}}}
    pages: dict[str, object] = {"module": "ejabberd_http", "request_handlers": {"/upload": "mod_http_upload"}}
    ports: dict[str, Mapping[str, object]] = {
        "port": {**clients, "starttls_required": True},
        "tls_port": {**clients, "tls": True},
        "component_port": {"module": "ejabberd_service", "access": "all", "shaper": "none", **gateway},
        "http_port": pages,
        "https_port": {**pages, "tls": True},
    }
    return [{"port": values[name], "ip": values["host"], **options} for name, options in ports.items()]


def _ejabberd_modules(values: Mapping[str, object], *, room_archive: bool) -> dict[str, Mapping[str, object]]:
    """All there are, with their options."""
    return {
        "mod_adhoc": {},
        "mod_blocking": {},
        "mod_caps": {},
        "mod_carboncopy": {},
        "mod_client_state": {},
        "mod_disco": {},
        "mod_http_upload": {
            "host": values["uploads"],
            "put_url": f"https://@HOST@:{values['https_port']}/upload",
            "docroot": f"{values['folder']}/data/upload",
            "max_size": values["file_limit"],
        },
        "mod_last": {},
        "mod_mam": {"db_type": "sql", "assume_mam_usage": True, "default": "always"},
        "mod_muc": {
            "host": values["rooms"],
            "access": "all",
            "access_create": "all",
            "access_persistent": "all",
            "default_room_options": {"mam": room_archive},
        },
        "mod_offline": {"db_type": "sql"},
        "mod_ping": {},
        "mod_privacy": {},
        "mod_private": {},
        "mod_pubsub": {"host": values["pubsub"], "access_createnode": "all", "plugins": ["flat", "pep"]},
        "mod_register": {"ip_access": "all", "access": "all"},
        "mod_roster": {"versioning": True},
        "mod_stream_mgmt": {"resend_on_timeout": "if_offline", "resume_timeout": values["hibernation"]},
        "mod_vcard": {},
        "mod_version": {},
    }


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _lua(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"[{_lua(name)}] = {_lua(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "{" + ", ".join(map(_lua, value)) + "}"
    return json.dumps(value)  # what is left is written as in JSON
