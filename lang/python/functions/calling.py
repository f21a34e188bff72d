"""Statements that run calls, and their returned values."""

from __future__ import annotations

import sys

from attrs import evolve

from pybuild.lang.python.functions import problems
from pybuild.lang.python.functions.encoding import BadData, loads
from pybuild.lang.python.functions.payload import CALL, INPUTS, RETURN, VALUE, ReturnValue
from pybuild.lang.recipe import BindMount, Call, Files, Mounted, RunEnv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.lang.python.functions.payload import Payload
    from pybuild.lang.recipe import Option, State, Step
    from pybuild.lang.source import Span


def statement(payload: Payload, options: Iterable[Option] = (), span: Span | None = None) -> Call:
    """Make the statement that runs the payload under run options.

    `PYTHONHASHSEED` makes the order of sets the same in all runs, unless the options set it otherwise. The call's own
    mounts come last, so that no option replaces them.
    """
    files = tuple((path, data, 0o644) for path, data in payload.files.items())
    # The step may run as any user, who must be able to write the file: so it exists beforehand, writable for
    # all.
    empty = Files(span, f"{payload.name}: returned value", ((VALUE, b"", 0o666),))
    own = [
        BindMount(Files(span, payload.name, files), CALL, "/", False, span=span),
        *(
            BindMount(_state_of(one, span), f"{INPUTS}/{number}.json", f"/{VALUE}", False, span=span)
            for number, one in enumerate(payload.inputs)
        ),
        BindMount(empty, RETURN, "/", True, kept=True, span=span),
    ]
    seed = RunEnv((("PYTHONHASHSEED", ("0",)),))
    return Call(payload.title, payload.argv, payload.lines, (seed, *options, *own))


def _state_of(value: ReturnValue, span: Span | None) -> State:
    if value.state is None:
        raise problems.not_called_yet(span, value.name)
    return value.state


class CallStep:
    """Implements `tree.ReadyStep`: the call of a payload. `value` is its returned value, for later calls."""

    __slots__ = ("_payload", "_span", "value")

    def __init__(self, payload: Payload, span: Span) -> None:
        # A step may be pickled for another process, which lacks the build module's classes.
        self._payload = evolve(payload, classes={})
        self._span = span
        self.value = ReturnValue(None, payload.name, payload.classes)

    def statement(self, options: tuple[Option, ...]) -> Call:
        """Make the statement. Raises SourceError if an argument is the result of a call in another body."""
        return statement(self._payload, options, self._span)

    def made(self, step: Step) -> None:
        """Set the step that the statement became."""
        self.value.state = Mounted(step.span, step, RETURN)


def returned(step: Step, payload: Payload) -> ReturnValue:
    """Return a stand-in for the value that the step of `statement` returns."""
    return ReturnValue(Mounted(step.span, step, RETURN), payload.name, payload.classes)


def decode(data: bytes, classes: Mapping[str, type] | None = None) -> object:
    """Decode the value that a call has written into its file `VALUE`. Raises BadData.

    `classes` are classes of the build module that may occur in it (`ReturnValue.classes`); others are looked up in
    modules that are already imported. Nothing is imported or run.
    """

    def class_of(name: str) -> type:
        module, _, path = name.partition(":")
        cls = (classes or {}).get(name)
        if cls is not None:
            return cls
        value: object = sys.modules.get(module)
        for part in path.split("."):
            value = getattr(value, part, None)
        if not isinstance(value, type):
            raise BadData(f"no class {name}")
        return value

    return loads(data, class_of)
