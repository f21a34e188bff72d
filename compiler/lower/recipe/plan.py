"""Analysis of a recipe before the lowering: the order of states, the used paths of directories, the steps of
bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pybuild.compiler.lower.paths import used_path
from pybuild.compiler.lower.recipe.patterns import before_doublestar
from pybuild.lang.recipe import (
    BindMount,
    Body,
    Built,
    CacheMount,
    Call,
    Copy,
    Diff,
    Directory,
    Dockerfile,
    Exec,
    Frontend,
    Host,
    Image,
    Instance,
    Layout,
    Merge,
    Mkdir,
    Mounted,
    Option,
    Remove,
    Run,
    Start,
    State,
    Step,
    Symlink,
    Workdir,
    Write,
)

STEPS = (Run, Exec, Call, Copy, Write, Mkdir, Remove, Symlink, Workdir)
"""Statements that progress counts as steps."""
IMAGES = (Image, Layout, Host)


class Plan:
    """The plan of a lowering.

    `order` has every state that the instances need once, inputs first. `paths` are the used paths of directories, by
    the directory's name. `steps` is the number of steps of each body. `first` maps an image to the first body that
    starts with it; `tests` are the bodies of tests.
    """

    __slots__ = ("_origins", "first", "order", "paths", "steps", "tests")

    def __init__(self, instances: Iterable[Instance]) -> None:
        instances = list(instances)
        self.order = _ordered([_result(instance.body) for instance in instances])
        self.paths: dict[str, set[str]] = {}
        self.steps: dict[Body, int] = {}
        self.first: dict[State, Body] = {}
        self.tests = {instance.body for instance in instances if instance.goal.kind == "test"}
        self._origins: dict[State, State] = {}
        for state in self.order:
            self._note(state)
        for instance in instances:
            self._use(_result(instance.body), "/")

    def origin(self, state: State) -> State:
        """Return the state whose file system `state` has, unchanged."""
        return self._origins.get(state, state)

    def _note(self, state: State) -> None:
        if isinstance(state, Start | Built):
            self._origins[state] = self.origin(_base(state))
        if isinstance(state, Start) and isinstance(state.base, IMAGES):
            self.first.setdefault(state.base, state.body)
            self.steps[state.body] = self.steps.get(state.body, 0) + 1
        elif isinstance(state, Step):
            self._note_step(state)
        elif isinstance(state, Merge | Diff | Frontend):
            for other in needs(state):
                self._use(other, "/")
        elif isinstance(state, Dockerfile):
            for other in needs(state):
                if not isinstance(other, Directory) or other.include:
                    self._use(other, "/")

    def _note_step(self, step: Step) -> None:
        statement = step.statement
        if not isinstance(statement, STEPS):
            return
        self.steps[step.body] = self.steps.get(step.body, 0) + 1
        self._use(step.before, "/")
        if isinstance(statement, Copy):
            for source in statement.sources:
                self._use(statement.source, before_doublestar(source.path))
        elif isinstance(statement, Run | Exec | Call):
            for option in statement.options:
                if isinstance(option, BindMount):
                    self._use(option.state, option.path)
                elif isinstance(option, CacheMount) and option.seed is not None:
                    self._use(option.seed, "/")

    def _use(self, state: State, path: str) -> None:
        origin = self.origin(state)
        if isinstance(origin, Directory):
            self.paths.setdefault(origin.name, set()).add(used_path(path))


def _result(body: Body) -> State:
    assert body.state is not None, f"{body.title} has not been recorded"
    return body.state


def _base(state: Start | Built) -> State:
    return state.base if isinstance(state, Start) else _result(state.body)


def _ordered(roots: list[State]) -> list[State]:
    done: dict[State, None] = {}
    stack = list(reversed(roots))
    while stack:
        state = stack[-1]
        missing = [] if state in done else [other for other in needs(state) if other not in done]
        if missing:
            stack.extend(reversed(missing))
        else:
            stack.pop()
            done[state] = None
    return list(done)


def needs(state: State) -> Iterator[State]:
    """The states that `state` is made of."""
    if isinstance(state, Step):
        yield state.before
        statement = state.statement
        if isinstance(statement, Copy):
            yield statement.source
        elif isinstance(statement, Run | Exec | Call):
            yield from _mounted(statement.options)
    elif isinstance(state, Start | Built):
        yield _base(state)
    elif isinstance(state, Mounted):
        yield state.step
    elif isinstance(state, Merge):
        yield from state.states
    elif isinstance(state, Diff):
        yield state.lower
        yield state.upper
    elif isinstance(state, Dockerfile):
        yield state.context
        yield from state.contexts.values()
    elif isinstance(state, Frontend):
        yield from state.inputs.values()


def _mounted(options: Iterable[Option]) -> Iterator[State]:
    for option in options:
        if isinstance(option, BindMount):
            yield option.state
        elif isinstance(option, CacheMount) and option.seed is not None:
            yield option.seed
