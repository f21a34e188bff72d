"""The handlers of statements (language spec, section 9). A handler takes the statement, its scope and the
recorder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import blocks, copying
from pybuild.lang.textual.expand.attributes import attributes, port, strings
from pybuild.lang.textual.expand.evaluate import evaluate, evaluate_all, script, template, text
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.recorder import Handlers, Recorder
from pybuild.lang.textual.expand.values import Located, TargetValue, template_of, text_of
from pybuild.lang.textual.forms import Flaw
from pybuild.lang.textual.problems import states
from pybuild.lang.textual.problems import types as problems
from pybuild.lang.textual.problems.values import unfit
from pybuild.lang.textual.types import PATH, REF, STR, TARGET, ListOf, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.source import Span

Handler = Callable[[Any, Frame, Recorder], None]

_STRINGS: Final = ListOf(STR)


def _positional(
    items: tuple[tree.Argument, ...], frame: Frame, recorder: Recorder, wanted: Type | None
) -> list[Located]:
    exprs = [item.value for item in items if item.name is None]
    return evaluate_all(exprs, frame, recorder.compilation, wanted)


def _path(expr: tree.Expr, frame: Frame, recorder: Recorder) -> str:
    return text_of(evaluate(expr, frame, recorder.compilation, PATH))


# File system


def _run(statement: tree.Run, frame: Frame, recorder: Recorder) -> None:
    pieces = script(statement.script, frame, recorder.compilation)
    run = recipe.Run(pieces, statement.script.block, recorder.options)
    recorder.step(run, statement.span, op=True)


def _exec(statement: tree.Exec, frame: Frame, recorder: Recorder) -> None:
    args = _words("exec", statement.command, frame, recorder)
    recorder.step(recipe.Exec(args, recorder.options), statement.span, op=True)


def _words(keyword: str, expr: tree.Expr, frame: Frame, recorder: Recorder) -> tuple[str, ...]:
    """Return the words of a command, at least one. Raises E0516."""
    words = strings(evaluate(expr, frame, recorder.compilation, _STRINGS))
    if not words:
        raise SourceError(states.no_words(expr.span, keyword))
    return words


def _write(statement: tree.Write, frame: Frame, recorder: Recorder) -> None:
    data = text(statement.text, frame, recorder.compilation).encode()
    dest = _path(statement.dest, frame, recorder)
    if dest.endswith("/"):
        raise SourceError(states.file_in_directory(statement.dest.span, dest))
    options = attributes("write", statement.options, frame, recorder.compilation)
    mode = options.mode()
    write = recipe.Write(data, dest, options.owner(), 0o644 if mode is None else mode)
    recorder.step(write, statement.span, op=True)


def _mkdir(statement: tree.Mkdir, frame: Frame, recorder: Recorder) -> None:
    paths = tuple(text_of(one.value) for one in _positional(statement.items, frame, recorder, PATH))
    options = attributes("mkdir", statement.items, frame, recorder.compilation)
    mode = options.mode()
    mkdir = recipe.Mkdir(paths, options.owner(), 0o755 if mode is None else mode)
    if paths:
        recorder.step(mkdir, statement.span, op=True)


def _remove(statement: tree.Remove, frame: Frame, recorder: Recorder) -> None:
    paths = tuple(text_of(one.value) for one in _positional(statement.items, frame, recorder, PATH))
    options = attributes("remove", statement.items, frame, recorder.compilation)
    if paths:
        recorder.step(recipe.Remove(paths, options.flag("optional")), statement.span, op=True)


def _symlink(statement: tree.Symlink, frame: Frame, recorder: Recorder) -> None:
    to, link = _path(statement.to, frame, recorder), _path(statement.link, frame, recorder)
    options = attributes("symlink", statement.options, frame, recorder.compilation)
    recorder.step(recipe.Symlink(to, link, options.owner()), statement.span, op=True)


# Config


def _env(statement: tree.Env, frame: Frame, recorder: Recorder) -> None:
    values = tuple(
        (one.name.name, template(one.value, frame, recorder.compilation))
        for one in statement.assignments
        if one.name is not None
    )
    recorder.step(recipe.Env(values), statement.span, op=False)


def _env_map(statement: tree.EnvMap, frame: Frame, recorder: Recorder) -> None:
    mapping = evaluate(statement.value, frame, recorder.compilation)
    for name in mapping if isinstance(mapping, Mapping) else ():
        if not name or "=" in name or "\0" in name:
            raise SourceError(states.no_variable(statement.value.span, name))
    values = (
        ((name, template_of(one)) for name, one in mapping.items()) if isinstance(mapping, Mapping) else ()
    )
    recorder.step(recipe.Env(tuple(values)), statement.span, op=False)


def _label(statement: tree.Label, frame: Frame, recorder: Recorder) -> None:
    compilation = recorder.compilation
    values = tuple(
        (
            _key(text_of(evaluate(one.key, frame, compilation)), one.key.span, statement.keyword),
            text_of(evaluate(one.value, frame, compilation)),
        )
        for one in statement.pairs
    )
    recorder.step(_LABELS[statement.keyword](values), statement.span, op=False)


def _label_map(statement: tree.LabelMap, frame: Frame, recorder: Recorder) -> None:
    mapping = evaluate(statement.value, frame, recorder.compilation)
    pairs = mapping.items() if isinstance(mapping, Mapping) else ()
    values = ((_key(key, statement.value.span, statement.keyword), text_of(one)) for key, one in pairs)
    recorder.step(_LABELS[statement.keyword](tuple(values)), statement.span, op=False)


def _key(key: str, span: Span, keyword: str) -> str:
    """Return the key of a label or an annotation. Raises E0603."""
    if not key:
        raise SourceError(unfit(span, keyword, "a key", "", "an empty key names nothing"))
    return key


_LABELS: Final[Mapping[str, Callable[[tuple[tuple[str, str], ...]], recipe.Statement]]] = {
    "label": recipe.Labels,
    "annotation": recipe.Annotations,
}


def _workdir(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    path = template(statement.items[0].value, frame, recorder.compilation)
    recorder.step(recipe.Workdir(path), statement.span, op=True)


def _user(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    name = text_of(evaluate(statement.items[0].value, frame, recorder.compilation, STR))
    recorder.step(recipe.User(name), statement.span, op=False)


def _expose(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    ports = tuple(map(port, _positional(statement.items, frame, recorder, None)))
    recorder.step(recipe.Expose(ports), statement.span, op=False)


def _volume(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    paths = tuple(text_of(one.value) for one in _positional(statement.items, frame, recorder, PATH))
    recorder.step(recipe.Volume(paths), statement.span, op=False)


def _stop_signal(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    name = text_of(evaluate(statement.items[0].value, frame, recorder.compilation))
    recorder.step(recipe.StopSignal(name), statement.span, op=False)


def _shell(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    words = _words("shell", statement.items[0].value, frame, recorder)
    recorder.step(recipe.Shell(words), statement.span, op=False)


def _command(make: Callable[[tuple[str, ...]], recipe.Statement]) -> Handler:
    def handle(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
        args = strings(evaluate(statement.items[0].value, frame, recorder.compilation, _STRINGS))
        recorder.step(make(args), statement.span, op=False)

    return handle


def _healthcheck(statement: tree.Healthcheck, frame: Frame, recorder: Recorder) -> None:
    command = evaluate(statement.command, frame, recorder.compilation)
    if command == ():
        raise SourceError(states.no_words(statement.command.span, "healthcheck"))
    options = attributes("healthcheck", statement.options, frame, recorder.compilation)
    healthcheck = recipe.Healthcheck(
        strings(command) if isinstance(command, tuple) else None,
        options.nanoseconds("interval"),
        options.nanoseconds("timeout"),
        options.nanoseconds("start_period"),
        options.nanoseconds("start_interval"),
        options.number("retries"),
    )
    recorder.step(healthcheck, statement.span, op=False)


# Exports


def _tag(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    for tag in _positional(statement.items, frame, recorder, REF):
        name = text_of(tag.value)
        if "@" in name:
            flaw = Flaw("a tag has no digest", "leave it out: what is built has a digest of its own")
            raise SourceError(problems.bad_form(tag.span, REF, name, flaw, literal=False))
        recorder.notes.tags.append(recipe.Tag(name, tag.span))


def _needs(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    for target in _positional(statement.items, frame, recorder, TARGET):
        if isinstance(target.value, TargetValue):
            recorder.notes.needs.append((target.value, target.span))


_SIMPLE: Final[Mapping[str, Handler]] = {
    "workdir": _workdir,
    "user": _user,
    "expose": _expose,
    "volume": _volume,
    "stop_signal": _stop_signal,
    "entrypoint": _command(recipe.Entrypoint),
    "cmd": _command(recipe.Cmd),
    "shell": _shell,
    "tag": _tag,
    "needs": _needs,
}


def _simple(statement: tree.Simple, frame: Frame, recorder: Recorder) -> None:
    _SIMPLE[statement.keyword](statement, frame, recorder)


def _ready(statement: tree.Ready, frame: Frame, recorder: Recorder) -> None:
    recorder.step(statement.step.statement(recorder.options), statement.span, op=True)
    if isinstance(recorder.state, recipe.Step):
        statement.step.made(recorder.state)


STATEMENTS: Final[Handlers] = {
    tree.Ready: _ready,
    tree.Let: blocks.let,
    tree.Check: blocks.check,
    tree.From: blocks.from_,
    tree.Run: _run,
    tree.Exec: _exec,
    tree.Copy: copying.copy,
    tree.Write: _write,
    tree.Mkdir: _mkdir,
    tree.Remove: _remove,
    tree.Symlink: _symlink,
    tree.Env: _env,
    tree.EnvMap: _env_map,
    tree.Label: _label,
    tree.LabelMap: _label_map,
    tree.Simple: _simple,
    tree.Output: copying.output,
    tree.Healthcheck: _healthcheck,
    tree.Return: blocks.return_,
    tree.CallStmt: blocks.call,
    tree.If: blocks.if_,
    tree.For: blocks.for_,
    tree.With: blocks.with_,
}
