"""Python functions as steps: a function of a build module runs in a container; arguments and result are data.

captured = capture(function, project)            all it needs; SourceError if it can't run there
sent     = payload(captured, args, kwargs)       files and a command
step     = Step(before, statement(sent, options), body)
value    = returned(step, sent)                  an argument of other calls
decode(data, value.classes)                      the value in the build, after the step
"""

from __future__ import annotations

from pybuild.lang.python.functions.calling import CallStep, decode, returned, statement
from pybuild.lang.python.functions.capturing import CapturedFunction, capture
from pybuild.lang.python.functions.encoding import BadData
from pybuild.lang.python.functions.payload import VALUE, Payload, ReturnValue, payload

__all__ = [
    "VALUE",
    "BadData",
    "CallStep",
    "CapturedFunction",
    "Payload",
    "ReturnValue",
    "capture",
    "decode",
    "payload",
    "returned",
    "statement",
]
