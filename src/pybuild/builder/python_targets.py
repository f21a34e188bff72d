"""Targets of the Python API as build inputs: the one place that connects them to a build.

The program records and expands, so that its own code runs in it alone; the worker gets the trees of what the build
needs, and lowers and builds that.
"""

from __future__ import annotations

from itertools import chain, count

from attrs import evolve

from pybuild.builder.recordings import filename_of, recording_of
from pybuild.frontends.build_context import BuildContext, BuildInputs
from pybuild.frontends.language import LanguageFrontend
from pybuild.lang.diagnostics import SourceError, SourceErrors, UsageError
from pybuild.lang.python.callsite import caller
from pybuild.lang.python.expansion import Expansion
from pybuild.lang.python.expressions import Expression, State
from pybuild.lang.python.recording import at_work
from pybuild.lang.python.states import ReturnedState
from pybuild.lang.python.targets import Group, Target
from pybuild.lang.python.transfer import from_bytes, to_bytes
from pybuild.lang.python.wording import error_in_python
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.cycles import name_of
from pybuild.lang.textual.expand.expand import expand
from pybuild.language.compiled import READ
from pybuild.language.pythonmodule import ReplayedCompiled
from pybuild.language.world import LocalWorld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.frontends.language import Warn
    from pybuild.lang.python.recording import Recording
    from pybuild.lang.textual.expand.options import World
    from pybuild.request.request import BuildRequest

    PythonTarget = State | Group | Sequence[State | Group]
else:
    PythonTarget = object


def record_targets(target: object, fields: Mapping[str, Any]) -> bytes:
    """Serialize targets, groups and states of the Python API for a worker, for a request with these fields. Raises
    TypeError for other objects, UsageError, SourceErrors."""
    if fields.get("params") or fields.get("params_files"):
        raise UsageError(
            "params are read when the module that declares them runs",
            help="set PYBUILD_PARAM_NAME before that, or build a target of a build file by its name",
        )
    wanted_targets = _RequestedTargets(target)
    recording = wanted_targets.recording
    expansion = Expansion(recording, *wanted_targets.decls)
    wanted_targets.check_names(expansion)
    program, diagnostics = expansion.findings()
    if program is None or any(diagnostic.level == "error" for diagnostic in diagnostics):
        raise SourceErrors(diagnostics)
    platforms = tuple(fields.get("platforms") or ())
    options = evolve(recording.options, wanted=(wanted_targets.name,), platforms=platforms)
    try:
        expand(program, options, _world(recording, fields))
    except SourceError as error:
        raise error_in_python(error) from None
    finally:
        # The recording outlives this call, and what was declared for the call must not stay in it.
        for decl in wanted_targets.decls:
            recording.bodies.pop(decl, None)
    return to_bytes(expansion, filename_of(recording), (wanted_targets.name,))


def _world(recording: Recording, fields: Mapping[str, Any]) -> World:
    """Return the recording's world, limited to the paths that this build may read."""
    world = recording.world
    if not isinstance(world, LocalWorld):
        return world
    return world.reading(
        [
            entitlement.removeprefix(READ)
            for entitlement in fields.get("allow") or ()
            if entitlement.startswith(READ)
        ]
    )


class _RequestedTargets:
    """The requested targets, as a group named `name` in `decls`; a state that is no target becomes one there."""

    def __init__(self, target: object) -> None:
        self.decls: list[tree.Target | tree.Group] = []
        self._recording: Recording | None = None
        targets = target if isinstance(target, list | tuple) else [target]
        self._targets = targets
        nodes = [self._node(requested) for requested in targets]
        if not nodes:
            raise UsageError("nothing is to be built: the list of targets is empty")
        span = nodes[0].span
        self.name = self._free("requested")
        self.decls.append(tree.Group(span, tree.Ident(span, self.name), tree.List(span, tuple(nodes))))

    def _free(self, name: str) -> str:
        """Return the name, with a number if the module has declared it."""
        used_names = {*self.recording.declared, *map(name_of, self.decls)}
        return next(
            candidate
            for candidate in chain([name], (f"{name}_{at}" for at in count(2)))
            if candidate not in used_names
        )

    @property
    def recording(self) -> Recording:
        assert self._recording is not None
        return self._recording

    def check_names(self, expansion: Expansion) -> None:
        """Check that the names still belong to these targets. Raises SourceError (E1004) if another thread has
        declared something else by one."""
        with at_work(self.recording, expansion.names):
            for requested in self._targets:
                if isinstance(requested, Target | Group):
                    requested.at(requested.node.span)

    def _node(self, requested: object) -> tree.Expr:
        recording = requested.recording if isinstance(requested, Target | Group) else None
        if recording is not None and isinstance(requested, Expression):
            self._of(recording)
            return requested.node
        if isinstance(requested, State):
            return self._state(requested)
        raise TypeError(f"a target is named by text, or is one of the Python API, not {requested!r}")

    def _of(self, recording: Recording) -> None:
        if self._recording not in (None, recording):
            raise UsageError("these targets are of different modules", help="build one after the other")
        self._recording = recording

    def _state(self, state: State) -> tree.Expr:
        """Make a target of a state; return its name."""
        state_recording = state.recording if isinstance(state, ReturnedState) else None
        recording = state_recording or self._recording or recording_of(caller())
        self._of(recording)
        node = state.node
        name = self._free("state")
        ident = tree.Ident(node.span, name)
        decl = tree.Target(node.span, "target", ident, (), (), (), node.span)
        recording.bodies[decl] = lambda names, platform: (tree.From(node.span, node, None, ()),)
        self.decls.append(decl)
        return tree.Name(node.span, name)


def frontend_of_targets(
    request: BuildRequest, recorded: bytes, warn: Warn
) -> tuple[LanguageFrontend, BuildContext]:
    """Return, in the worker, the frontend of what `record_targets` returned, and the context of its build. Raises
    UserError."""
    compiled = ReplayedCompiled(from_bytes(recorded), allow=request.allow)
    context = BuildContext(request, BuildInputs(), compiled.dependencies)
    frontend = LanguageFrontend(context, warn, wanted=compiled.replay.wanted, compiled=compiled)
    return frontend, context
