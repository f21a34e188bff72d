"""`run` and `exec`: commands in the state's file system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from attrs import evolve

from pybuild.compiler.descriptions import KEEPS_CACHES, LINES
from pybuild.compiler.lower.commands import PIPES, script_mount
from pybuild.compiler.lower.recipe import printing
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.made import ROOT, Made
from pybuild.compiler.lower.recipe.problems import unquotable
from pybuild.compiler.lower.recipe.run_options import RunOptions
from pybuild.compiler.lower.step_defaults import command_state, shared_memory
from pybuild.compiler.mounts import AnyMount, FileMount
from pybuild.compiler.state import State
from pybuild.lang.recipe import Call, Exec, Option, Run, Script, Step

_NOTHING: Mapping[str, str] = {}
_SCRIPT = "script"
"""What a script is called that is a file of its own."""


def run(lowering: Lowering, step: Step, statement: Run, made: Made) -> Made:
    """A script for the shell in force; a block that says by what it is run is executed as a file. The shell is
    the language's or that of a `shell` statement: one that the image's config names is for other frontends. Raises
    `SourceError` for a value that can't be quoted where it stands."""
    script = _script(statement, made.shell)
    text = printing.run(script, block=_is_file(statement) or "\n" in script)
    if _is_file(statement):
        file = script_mount(_SCRIPT, script)
        return _run(lowering, step, made, (PIPES + _SCRIPT,), [file], statement.options, text)
    return _run(lowering, step, made, (*made.shell, script), [], statement.options, text)


def execute(lowering: Lowering, step: Step, statement: Exec, made: Made) -> Made:
    """A program, without a shell."""
    return _run(lowering, step, made, statement.args, [], statement.options, printing.exec_(statement))


def call(lowering: Lowering, step: Step, statement: Call, made: Made) -> Made:
    """A function. Its lines go with the vertex as what decides about nothing."""
    lines = {LINES: statement.lines} if statement.lines else {}
    return _run(lowering, step, made, statement.args, [], statement.options, statement.title, lines)


def _is_file(statement: Run) -> bool:
    first = statement.script[0] if statement.script else ""
    return statement.block and isinstance(first, str) and first.startswith("#!")


def _pieces(statement: Run) -> Script:
    """What a shell is given of a block has no newline at its end, so that a script is one op in either form; one that
    a backslash escapes stays."""
    *before, last = statement.script or ("",)
    ends = isinstance(last, str) and last.endswith("\n") and not last.endswith("\\\n")
    if not ends or not statement.block or _is_file(statement):
        return statement.script
    assert isinstance(last, str)
    return (*before, last[:-1]) if last != "\n" else tuple(before)


def _script(statement: Run, shell: tuple[str, ...]) -> str:
    """The text with its values in it."""
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
    made: Made,
    args: Sequence[str],
    mounts: list[AnyMount],
    given: Iterable[Option],
    text: str,
    about: Mapping[str, str] = _NOTHING,
) -> Made:
    found = RunOptions(lowering, made, step.span)
    found.gather(given)
    mounts += found.mounts
    mounts += [mount for mount in shared_memory(lowering.options.steps) if mount.target not in found.targets]
    state = _inherited(lowering, made, found)
    options = lowering.step_options(step, text)
    kept = {KEEPS_CACHES: "true"} if found.uncached and not options.ignore_cache else {}
    options = evolve(
        options,
        description={**options.description, **found.description, **kept, **about},
        ignore_cache=options.ignore_cache or found.uncached,
        linux_resources=found.resources,
    )
    done = state.run(
        args,
        mounts=mounts,
        network=found.network,
        security=found.security,
        proxy=lowering.proxy,
        devices=found.devices,
        options=options,
    )
    left = {mount.target: done.mount(mount.target).edge for mount in mounts if _is_kept(mount)}
    return evolve(made, directories=ROOT, mounts=left).written(done.edge, text)


def _is_kept(mount: AnyMount) -> TypeGuard[FileMount]:
    return isinstance(mount, FileMount) and mount.has_output


def _inherited(lowering: Lowering, made: Made, found: RunOptions) -> State:
    state = command_state(
        lowering.options.steps,
        cwd=found.cwd,
        environment=found.environment,
        user=found.user,
        platform=made.platform,
    )
    return evolve(state.at(made.edge), extra_hosts=(*state.extra_hosts, *found.hosts))
