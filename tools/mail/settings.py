"""What Postfix and Dovecot are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["render"]


def render(values: Mapping[str, object]) -> dict[str, str]:
    """All files of settings, by their place in the folder of the servers.

    Args:
        values: For the names in @{...}: ports, folder, password and the rest. Both servers have a meaning of their own
            for $, and for %.
    """
    return {place: _NAME.sub(lambda found: str(values[found[1]]), text) for place, text in _FILES.items()}


_NAME: Final = re.compile(r"@\{([a-z_]+)\}")

_OAUTH2: Final = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@{folder}/jwt/
username_attribute = sub
"""

_DOVECOT_CONF: Final = """\
base_dir = @{folder}/dovecot/run
state_dir = @{folder}/dovecot/state
instance_name = convergekit
log_path = @{folder}/log/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <@{folder}/tls/chain.pem
ssl_key = <@{folder}/tls/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login xoauth2 oauthbearer
# A wrong password is answered in half a second; a server that people know of makes them wait longer each time.
auth_failure_delay = 0
mail_max_userip_connections = 100
mail_location = maildir:~/Maildir
first_valid_uid = @{mail_id}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u @{folder}/dovecot/passwd
}
passdb {
  driver = static
  args = password=@{password}
  username_filter = t*@example.test
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @{folder}/dovecot/oauth2
}
userdb {
  driver = static
  args = uid=@{mail_id} gid=@{mail_id} home=@{folder}/mail/%d/%n
}
namespace inbox {
  inbox = yes
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
}
service imap-login {
  inet_listener imap {
    port = @{imap}
  }
  inet_listener imaps {
    port = @{imaps}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = @{lmtp}
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener @{folder}/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
protocol lmtp {
  postmaster_address = postmaster@example.test
}
"""

_MAIN_CF: Final = """\
compatibility_level = 3.6
queue_directory = @{folder}/queue
data_directory = @{folder}/pfdata
maillog_file = @{folder}/log/postfix.log
maillog_file_prefixes = @{folder}/log
myhostname = mx.example.test
mydestination =
mynetworks = 127.0.0.0/8
# Nobody outside reaches it, and it reaches nobody outside.
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = 127.0.0.1
disable_dns_lookups = yes
default_transport = smtp:[127.0.0.1]:@{outside}
# Nothing of the machine's own is read.
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = bounce.test, defer.test
virtual_mailbox_domains = example.test, utf8.test, app.test
virtual_mailbox_maps = regexp:@{folder}/postfix/boxes
virtual_mailbox_base = @{folder}/mail
virtual_transport = lmtp:inet:127.0.0.1:@{lmtp}
virtual_uid_maps = static:@{mail_id}
virtual_gid_maps = static:@{mail_id}
transport_maps = inline:{
    {utf8.test=virtual:}
    {app.test=lmtp:inet:127.0.0.1:@{app_lmtp}}
    {bounce.test=smtp:[127.0.0.1]:@{refusing}}
    {defer.test=smtp:[127.0.0.1]:@{deferring}} }
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_chain_files = @{folder}/tls/key.pem, @{folder}/tls/chain.pem
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtp_tls_security_level = none
lmtp_tls_security_level = none
smtputf8_enable = yes
message_size_limit = 10485760
recipient_delimiter = +
# What takes hours elsewhere.
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
delay_warning_time = 2s
maximal_queue_lifetime = @{lifetime}s
bounce_queue_lifetime = @{lifetime}s
# Nobody is made to wait for being wrong, or for being many.
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
"""

_AUTH: Final = (
    "-o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
    " -o smtpd_recipient_restrictions=check_recipient_access,"
    "inline:{{refused@example.test=REJECT},{later@example.test=DEFER}}"
)

_MASTER_CF: Final = f"""\
127.0.0.1:@{{mx}} inet n - n - - smtpd
127.0.0.1:@{{submission}} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {_AUTH}
127.0.0.1:@{{smtps}} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {_AUTH}
127.0.0.1:@{{stripped}} inet n - n - - smtpd -o smtpd_tls_security_level=none {_AUTH}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_BOXES: Final = r"""
/^(alice|bob|t[0-9]+)(\+.*)?@example\.test$/ x
/^anna(\+.*)?@utf8\.test$/ utf8.test/anna/Maildir/
/^ünï@utf8\.test$/ utf8.test/ünï/Maildir/
/@app\.test$/ x
"""

_FILES: Final = {
    "dovecot/oauth2": _OAUTH2,
    "dovecot/dovecot.conf": _DOVECOT_CONF,
    "postfix/main.cf": _MAIN_CF,
    "postfix/master.cf": _MASTER_CF,
    "postfix/boxes": _BOXES,
}
