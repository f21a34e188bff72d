"""`copy` and `output`: their sources and their steps (language spec, section 12)."""

from __future__ import annotations

import posixpath

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, Edit, SourceErrors
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import globs
from pybuild.lang.textual.expand.attributes import Attributes, attributes
from pybuild.lang.textual.expand.destinations import holds_build_file, output_path
from pybuild.lang.textual.expand.evaluate import evaluate, evaluate_all
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.lookups import Missing
from pybuild.lang.textual.expand.recorder import Recorder
from pybuild.lang.textual.expand.values import Located, text_of
from pybuild.lang.textual.problems import expansion as warnings
from pybuild.lang.textual.problems import security
from pybuild.lang.textual.problems import states as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import PATH, STATE


def copy(statement: tree.Copy, frame: Frame, recorder: Recorder) -> None:
    compilation = recorder.compilation
    sources = evaluate_all(statement.sources, frame, compilation, PATH)
    if statement.state is None:
        state = compilation.context(frame.module)
    else:
        value = evaluate(statement.state, frame, compilation, STATE)
        if not isinstance(value, recipe.State):
            raise TypeError(f"{statement.span.place}: no state to copy from")
        state = value
    dest = text_of(evaluate(statement.dest, frame, compilation, PATH))
    options = attributes("copy", statement.options, frame, compilation)
    step = recipe.Copy(
        sources=tuple(recipe.Source(text_of(source.value), source.span) for source in sources),
        source=state,
        dest=dest,
        owner=options.owner(),
        mode=options.mode(),
        exclude=options.texts("exclude"),
        parents=options.flag("parents"),
        follow=options.flag("follow"),
        optional=options.flag("optional"),
        unpack=options.flag("unpack"),
        link=options.flag("link"),
    )
    if sources:
        recorder.step(step, statement.span, op=True)
    diagnostics = _misplaced(sources, statement.dest, dest) if not step.unpack else []
    diagnostics += _looked_up(sources, state, statement, dest, options, frame, recorder)
    if diagnostics:
        raise SourceErrors(diagnostics)


def _misplaced(sources: list[Located], dest: tree.Expr, path: str) -> list[Diagnostic]:
    """Return E0512 if several sources, or a pattern, have a destination that isn't a directory."""
    if path.endswith("/"):
        return []
    candidates = [(one, "a pattern") for one in sources if globs.is_pattern(text_of(one.value))]
    if len(sources) > 1:
        candidates = [(sources[1], "a second source")]
    if not candidates:
        return []
    source, why = candidates[0]
    return [problems.needs_slash(dest.span, source.span, why, _replaced(dest, f"{path}/"))]


def _replaced(literal: tree.Expr, path: str) -> Edit | None:
    """Return an edit that writes another path, None unless the path is one short string literal."""
    text = excerpt(literal.span)
    plain = isinstance(literal, tree.String) and all(isinstance(one, tree.Text) for one in literal.parts)
    if not plain or text[:1] not in ('"', "'") or text.startswith(('"""', "'''")) or "\\" in text:
        return None
    return Edit(literal.span, f"{text[0]}{path}{text[0]}")


def _looked_up(
    sources: list[Located],
    state: recipe.State,
    statement: tree.Copy,
    dest: str,
    options: Attributes,
    frame: Frame,
    recorder: Recorder,
) -> list[Diagnostic]:
    """Return the messages about the sources: E0513, and E0510 and E0511 if their files are known before the build."""
    lookups = recorder.compilation.lookups
    directory = lookups.directory(state)
    diagnostics = []
    for source in sources:
        text = text_of(source.value)
        path = globs.normal(text)
        if path is None:
            diagnostics.append(problems.leaves_root(source.span, text))
            continue
        globs.check_pattern(path, text, source.span)
        if directory is None:
            continue
        answer = lookups.find(directory, path, source.span)
        if isinstance(answer, Missing):
            if not options.flag("optional"):
                diagnostics.append(lookups.problem(source, directory, answer))
        elif answer == "file" and text.endswith("/"):
            label = "is a file, not a directory"
            diagnostics.append(problems.matches_nothing(source.span, directory.where, label, path))
        elif answer == "dir" and not text.endswith("/") and not options.flag("parents"):
            _own_directory(source, path, statement.dest, dest, len(sources) == 1, frame, recorder)
    return diagnostics


def _own_directory(
    source: Located, path: str, expr: tree.Expr, dest: str, alone: bool, frame: Frame, recorder: Recorder
) -> None:
    """Warn (W0610) if a directory lands in a directory of its own name. `alone` says that it is the only source."""
    name = posixpath.basename(globs.literal(path))
    if not dest.endswith("/") or posixpath.basename(dest.rstrip("/")) != name or name in ("", "."):
        return
    becomes = dest.rstrip("/")
    help = f'write `"{becomes}"` or `"{path}/"`' if alone else f'write `"{path}/"`'
    edit = _replaced(expr, becomes) if alone else None
    warning = warnings.own_directory(source.span, path, expr.span, f"{dest}{name}", help, edit)
    recorder.compilation.warn(warning, frame.module)


def output(statement: tree.Output, frame: Frame, recorder: Recorder) -> None:
    compilation = recorder.compilation
    sources = evaluate_all(statement.sources, frame, compilation, PATH)
    written = text_of(evaluate(statement.dest, frame, compilation, PATH))
    options = attributes("output", statement.options, frame, compilation)
    dest = output_path(written, statement.dest.span, compilation.options)
    diagnostics = _misplaced(sources, statement.dest, written)
    for source in sources:
        path = globs.normal(text_of(source.value))
        if path is None:
            diagnostics.append(problems.leaves_root(source.span, text_of(source.value)))
        else:
            globs.check_pattern(path, text_of(source.value), source.span)
    if options.flag("clean") and holds_build_file(dest, compilation.options):
        diagnostics.append(security.empties_sources(statement.dest.span, written))
    if diagnostics:
        raise SourceErrors(diagnostics)
    recorder.notes.outputs.append(
        recipe.Output(
            tuple(recipe.Source(text_of(source.value), source.span) for source in sources),
            dest,
            options.flag("clean"),
            options.flag("always"),
            statement.span,
        )
    )
