"""A message as a mail, to the last octet. Pure, but for `Signer`, which works in a thread."""

from .dkim import Signer
from .message import build
from .parts import File, Parts
from .safety import needs_smtputf8, refuse_unsafe

__all__ = ["File", "Parts", "Signer", "build", "needs_smtputf8", "refuse_unsafe"]
