"""`run`, `exec` and calls of functions: commands in the state's file system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from attrs import evolve

from pybuild.compiler.descriptions import KEEPS_CACHES, LINES
from pybuild.compiler.lower.commands import PIPES, script_mount
from pybuild.compiler.lower.recipe import printing
from pybuild.compiler.lower.recipe.lowered_state import ROOT, LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.problems import unquotable
from pybuild.compiler.lower.recipe.run_options import RunOptions
from pybuild.compiler.lower.step_defaults import command_state, shared_memory
from pybuild.compiler.mounts import AnyMount, FileMount
from pybuild.compiler.state import State
from pybuild.lang.recipe import Call, Exec, Option, Run, Script, Step

_NOTHING: Mapping[str, str] = {}
_SCRIPT = "script"
"""The name of a script that is mounted as a file."""


def run(lowering: Lowering, step: Step, statement: Run, lowered: LoweredState) -> LoweredState:
    """Lower a `run`: a script for the shell, or, if a block begins with `#!`, a file that is executed.

    The shell is the language's default or that of a `shell` statement; the one of the image's config is for other
    frontends. Raises `SourceError` for a value that can't be quoted at its place.
    """
    script = _script(statement, lowered.shell)
    text = printing.run(script, block=_is_file(statement) or "\n" in script)
    if _is_file(statement):
        file = script_mount(_SCRIPT, script)
        return _run(lowering, step, lowered, (PIPES + _SCRIPT,), [file], statement.options, text)
    return _run(lowering, step, lowered, (*lowered.shell, script), [], statement.options, text)


def execute(lowering: Lowering, step: Step, statement: Exec, lowered: LoweredState) -> LoweredState:
    """Lower an `exec`: a program without a shell."""
    return _run(lowering, step, lowered, statement.args, [], statement.options, printing.exec_(statement))


def call(lowering: Lowering, step: Step, statement: Call, lowered: LoweredState) -> LoweredState:
    """Lower a call of a function. Its lines are in the description of the vertex, and in no key."""
    lines = {LINES: statement.lines} if statement.lines else {}
    return _run(lowering, step, lowered, statement.args, [], statement.options, statement.title, lines)


def _is_file(statement: Run) -> bool:
    first = statement.script[0] if statement.script else ""
    return statement.block and isinstance(first, str) and first.startswith("#!")


def _pieces(statement: Run) -> Script:
    """Return the script without the newline at the end of a block, so that a block and a line give the same op.

    A newline after a backslash is kept, and so is that of a file.
    """
    *before, last = statement.script or ("",)
    ends = isinstance(last, str) and last.endswith("\n") and not last.endswith("\\\n")
    if not ends or not statement.block or _is_file(statement):
        return statement.script
    assert isinstance(last, str)
    return (*before, last[:-1]) if last != "\n" else tuple(before)


def _script(statement: Run, shell: tuple[str, ...]) -> str:
    """Return the script's text with its values quoted. Raises `SourceError`."""
    pieces = _pieces(statement)
    plain = [piece for piece in pieces if isinstance(piece, str)]
    if len(plain) == len(pieces):
        return "".join(plain)
    from pybuild.lang.quoting.quote import CannotQuote, quote

    try:
        return quote(pieces, shell=shell, interpreter=_is_file(statement))
    except CannotQuote as error:
        raise unquotable(error) from None


def _run(
    lowering: Lowering,
    step: Step,
    lowered: LoweredState,
    args: Sequence[str],
    mounts: list[AnyMount],
    given: Iterable[Option],
    text: str,
    about: Mapping[str, str] = _NOTHING,
) -> LoweredState:
    gathered = RunOptions(lowering, lowered, step.span)
    gathered.gather(given)
    mounts += gathered.mounts
    mounts += [
        mount for mount in shared_memory(lowering.options.steps) if mount.target not in gathered.targets
    ]
    state = _inherited(lowering, lowered, gathered)
    options = lowering.step_options(step, text)
    # `--no-cache` empties the caches of steps, `uncached()` in the file doesn't.
    kept = {KEEPS_CACHES: "true"} if gathered.uncached and not options.ignore_cache else {}
    options = evolve(
        options,
        description={**options.description, **gathered.description, **kept, **about},
        ignore_cache=options.ignore_cache or gathered.uncached,
        linux_resources=gathered.resources,
    )
    done = state.run(
        args,
        mounts=mounts,
        network=gathered.network,
        security=gathered.security,
        proxy=lowering.proxy,
        devices=gathered.devices,
        options=options,
    )
    outputs = {mount.target: done.mount(mount.target).edge for mount in mounts if _is_kept(mount)}
    # A command may remove any of the known directories.
    return evolve(lowered, directories=ROOT, mounts=outputs).written(done.edge, text)


def _is_kept(mount: AnyMount) -> TypeGuard[FileMount]:
    return isinstance(mount, FileMount) and mount.has_output


def _inherited(lowering: Lowering, lowered: LoweredState, gathered: RunOptions) -> State:
    state = command_state(
        lowering.options.steps,
        cwd=gathered.cwd,
        environment=gathered.environment,
        user=gathered.user,
        platform=lowered.platform,
    )
    return evolve(state.at(lowered.edge), extra_hosts=(*state.extra_hosts, *gathered.hosts))
