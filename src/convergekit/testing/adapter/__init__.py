"""The promises of an adapter: rules, the checks that try them, and what their author tells about the far side.

`AdapterContract` makes tests of pytest out of them, `verify` needs no pytest; both do the same checks.
"""

from __future__ import annotations

from ._http import HttpSubject
from ._installed import SUBJECTS, installed_subject, without_subject
from ._rules import RULES, Rule, rules
from ._runner import BACKENDS, Result, Verdict, perform, unusable, verify
from ._server import LoopbackServer
from ._subject import ENDINGS, Call, Cannot, Ending, Fault, Sample, Subject
from ._verbs import implements

__all__ = [
    "BACKENDS",
    "ENDINGS",
    "RULES",
    "SUBJECTS",
    "Call",
    "Cannot",
    "Ending",
    "Fault",
    "HttpSubject",
    "LoopbackServer",
    "Result",
    "Rule",
    "Sample",
    "Subject",
    "Verdict",
    "implements",
    "installed_subject",
    "perform",
    "rules",
    "unusable",
    "verify",
    "without_subject",
]
