"""Where an expression is evaluated, and what the evaluation asks of the compile that it is a part of."""

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
    """A module with the params that one `use` gave it. Compared by identity."""

    @property
    def module(self) -> Module: ...


class Recording(Protocol):
    """A body while its statements are recorded: `state` is what they have come to, None before `from`."""

    @property
    def body(self) -> recipe.Body: ...

    @property
    def state(self) -> recipe.State | None: ...


class Frame:
    """`platform` is the one being built for, outside of bodies that of whoever asked; `taken_for` the one that
    sources, targets and state functions are taken for: another one in `from … on PLATFORM`. `recording` is None
    outside of bodies that have a state. A scope sees what the scopes around it have bound."""

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
        """A scope inside this one."""
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
    """A `def` in the module that it sees."""

    module: ModuleInstance
    definition: tree.Def


@frozen(eq=False)
class Later:
    """A value that is still to be evaluated: `finish` gets it, converted to `wanted`, keeps it, and gives it back.
    It is evaluated without recursion, however long the chain."""

    expr: tree.Expr
    frame: Frame
    wanted: Type | None
    finish: Callable[[Value], Value]


class Compilation(Protocol):
    """The compile, as an evaluation sees it. What it raises are `SourceError`s."""

    @property
    def options(self) -> ExpandOptions: ...

    @property
    def world(self) -> World: ...

    @property
    def reads(self) -> MutableMapping[str, str]:
        """Digests of what was read, by name: filled by the evaluation, for `Recipe.reads`."""

    def count(self, span: Span, steps: int = 1) -> None:
        """Takes steps of evaluation. Raises E0703."""

    def exceeded(self, what: str, span: Span) -> NoReturn:
        """Raises E0703 with the call path; `what` states the fact, "a string is longer than 1 MiB"."""

    def module_value(
        self, module: ModuleInstance, name: str, frame: Frame, span: Span
    ) -> Value | Later | None:
        """A param, `let`, target, group or used module (`ModuleValue`) of a module; None if it has none of the
        name. `frame` is that of the use: what a `let` with sources gives depends on its `taken_for`."""

    def definition(self, module: ModuleInstance, name: str) -> Definition | None:
        """A `def` of a module."""

    def call(self, definition: Definition, arguments: Mapping[str, Value], frame: Frame, span: Span) -> Value:
        """What a state or value function gives. `arguments` has every parameter, `frame` is the caller's; a state
        function is for the frame's `taken_for`."""

    def select(
        self, target: TargetValue, choices: tuple[Choice, ...], frame: Frame, span: Span
    ) -> TargetValue:
        """`T[axis=value]`: a smaller selection. Raises E0706."""

    def state_of(self, target: TargetValue, frame: Frame, span: Span) -> recipe.State:
        """A target where a state is wanted, for the frame's `taken_for` unless it was chosen. Raises E0503."""

    def context(self, module: ModuleInstance) -> recipe.State:
        """The module's `context`: one state, whoever asks."""

    def vcs(self, name: str) -> str | bool | int:
        """A member of `vcs`, recorded as an input of the compile."""
