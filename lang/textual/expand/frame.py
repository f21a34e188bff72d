"""The frame of an evaluation, and its interface to the compile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import NoReturn, Protocol

from attrs import frozen

from pybuild.lang import recipe
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.values import Choice, TargetValue, Value
from pybuild.lang.textual.modules import Module
from pybuild.lang.textual.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.options import ExpandOptions, World


class ModuleInstance(Protocol):
    """A module with the params of one `use`. Compared by identity."""

    @property
    def module(self) -> Module: ...


class Recording(Protocol):
    """A body during its recording. `state` is the state after the statements so far, None before `from`."""

    @property
    def body(self) -> recipe.Body: ...

    @property
    def state(self) -> recipe.State | None: ...


class Frame:
    """A scope for evaluation, which sees the names of the scopes around it.

    `platform` is the platform being built for; outside of bodies, that of the reading frame. `taken_for` is the
    platform of sources, targets and state functions, which differs from it in `from … on PLATFORM`. `recording` is
    None outside of bodies with a state."""

    __slots__ = ("_names", "_outer", "module", "platform", "recording", "taken_for")

    def __init__(
        self,
        module: ModuleInstance,
        platform: str,
        recording: Recording | None = None,
        names: Mapping[str, Value] | None = None,
        *,
        outer: Frame | None = None,
        taken_for: str = "",
    ) -> None:
        self.module = module
        self.platform = platform
        self.recording = recording
        self.taken_for = taken_for or platform
        self._names: dict[str, Value] = dict(names or {})
        self._outer = outer

    def inner(self, *, taken_for: str = "") -> Frame:
        """Return a scope inside this one."""
        taken_for = taken_for or self.taken_for
        return Frame(self.module, self.platform, self.recording, outer=self, taken_for=taken_for)

    def bind(self, name: str, value: Value) -> None:
        self._names[name] = value

    def find(self, name: str) -> Value | None:
        frame: Frame | None = self
        while frame is not None:
            if name in frame._names:
                return frame._names[name]
            frame = frame._outer
        return None


@frozen(eq=False)
class Definition:
    """A `def` with the module that it is evaluated in."""

    module: ModuleInstance
    definition: tree.Def


@frozen(eq=False)
class DeferredValue:
    """A value that is not evaluated yet. `finish` takes the value, converted to `wanted`, stores it and returns it.

    The evaluation loop evaluates it, so a chain of them doesn't recurse."""

    expr: tree.Expr
    frame: Frame
    wanted: Type | None
    finish: Callable[[Value], Value]


class Compilation(Protocol):
    """The compile as evaluations see it. Its methods raise `SourceError`s."""

    @property
    def options(self) -> ExpandOptions: ...

    @property
    def world(self) -> World: ...

    @property
    def reads(self) -> MutableMapping[str, str]:
        """Digests of the files read, by name, filled by the evaluation for `Recipe.reads`."""

    def count(self, span: Span, steps: int = 1) -> None:
        """Count steps of evaluation. Raises E0703."""

    def exceeded(self, what: str, span: Span) -> NoReturn:
        """Raise E0703 with the call path. `what` states the fact: "a string is longer than 1 MiB"."""

    def module_value(
        self, module: ModuleInstance, name: str, frame: Frame, span: Span
    ) -> Value | DeferredValue | None:
        """Return a param, `let`, target, group or used module (`ModuleValue`) of a module, None if it has no such
        name. `frame` is the frame of the use: the value of a `let` with sources depends on its `taken_for`."""

    def definition(self, module: ModuleInstance, name: str) -> Definition | None:
        """Return a `def` of a module, None if it has no such name."""

    def call(self, definition: Definition, arguments: Mapping[str, Value], frame: Frame, span: Span) -> Value:
        """Return the result of a state or value function. `arguments` has every parameter; `frame` is the
        caller's, and a state function is evaluated for its `taken_for`."""

    def select(
        self, target: TargetValue, choices: tuple[Choice, ...], frame: Frame, span: Span
    ) -> TargetValue:
        """Return the selection `T[axis=value]` of a target. Raises E0706."""

    def state_of(self, target: TargetValue, frame: Frame, span: Span) -> recipe.State:
        """Return the state of a target, for the frame's `taken_for` unless a platform was chosen. Raises E0503."""

    def context(self, module: ModuleInstance) -> recipe.State:
        """Return the module's `context`, always the same state."""

    def vcs(self, name: str) -> str | bool | int:
        """Return a member of `vcs`, and record it as an input of the compile."""
