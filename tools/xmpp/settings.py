"""What Prosody and ejabberd are told."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from typing import Final

__all__ = ["PROSODY_FEATURES", "prosody_lua"]

#: What can be left out, and the modules that it is made of.
PROSODY_FEATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "archive": ("mam",),
    "blocklist": ("blocklist",),
    "bookmarks": ("bookmarks",),
    "carbons": ("carbons",),
    "csi": ("csi_simple",),
    "disco": ("disco",),
    "offline": ("offline",),
    "pep": ("pep",),
    "ping": ("ping",),
    "register": ("register", "register_ibr"),
    "smacks": ("smacks",),
    "vcard": ("vcard4", "vcard_legacy"),
}

_PROSODY_MODULES: Final = (
    "admin_shell",
    "http",
    "lastactivity",
    "private",
    "roster",
    "saslauth",
    "time",
    "tls",
    "version",
    *(module for modules in PROSODY_FEATURES.values() for module in modules),
)

_STORAGES: Final[Mapping[object, str]] = {"memory": "memory", "disk": "sql", "internal": "internal"}

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
storage = {{
  archive = "{storage}", muc_log = "{storage}", offline = "{storage}";
  accounts = "internal", smacks_h = "memory";
}}
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
Component "{uploads}" "http_file_share"
  http_host = "localhost"
  http_external_url = "https://localhost:{https_port}/"
  http_file_share_size_limit = {file_limit}
Component "{pubsub}" "pubsub"
Component "{component}"
  component_secret = "{component_secret}"
"""


def prosody_lua(values: Mapping[str, object], *, without: Collection[str], more: str) -> str:
    """The file of settings of a Prosody.

    Args:
        values: Ports, folder, names and limits.
        without: Names of features.
        more: Settings for all hosts, over ours.
    """
    room_modules = ["muc_mam"] if "room_archive" not in without else []
    return _PROSODY.format(
        **values,
        as_root=str(os.geteuid() == 0).lower(),
        plugin_paths="",
        storage=_STORAGES[values["archive"]],
        enabled=_quoted(_PROSODY_MODULES),
        disabled=_quoted(module for name in without for module in PROSODY_FEATURES.get(name, ())),
        room_modules=_quoted(room_modules),
        more=more,
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
