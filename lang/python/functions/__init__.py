"""Python functions as steps: a function of a build module runs in the container, with arguments and a returned value
that are data.

    captured = capture(function, project)            what it needs, or why it can't run there
    sent     = payload(captured, args, kwargs)       files and a command
    step     = Step(before, statement(sent, options), body)
    value    = returned(step, sent)                  an argument of other calls
    decode(data, value.classes)                      the same in the build, when the step has run
"""

from __future__ import annotations

from pybuild.lang.python.functions.calling import CallStep, decode, returned, statement
from pybuild.lang.python.functions.capturing import Captured, capture
from pybuild.lang.python.functions.encoding import BadData
from pybuild.lang.python.functions.payload import VALUE, Payload, Returned, payload

__all__ = [
    "VALUE",
    "BadData",
    "CallStep",
    "Captured",
    "Payload",
    "Returned",
    "capture",
    "decode",
    "payload",
    "returned",
    "statement",
]
