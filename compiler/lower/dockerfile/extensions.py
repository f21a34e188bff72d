"""Instructions of `# syntax=pybuild/dockerfile:1` that the standard language lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pybuild.compiler.contextfile import read_context_file
from pybuild.compiler.lower.dockerfile import history
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.metadata import record, set_env
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, UserError, source_error, suggest
from pybuild.lang.dockerfile.expose import ports
from pybuild.lang.dockerfile.instructions import EnvFileInstruction, UnsetInstruction
from pybuild.lang.source import Source, Span

_NAME = re.compile(r"[^\s=]+")


def unset(lowering: Lowering, stage: StageState, instruction: UnsetInstruction) -> None:
    """Remove declarations. Raises `SourceError` for a name that isn't declared."""
    texts = [lowering.words.one(name, stage.environment, instruction.span) for name in instruction.names]
    config = stage.image.config
    if instruction.kind == "VOLUME":
        left = _without(config.volumes, texts, instruction)
        stage.image = stage.image.with_config(volumes=frozenset(left))
    elif instruction.kind == "EXPOSE":
        texts = ports(texts, instruction.span)
        left = _without(config.exposed_ports, texts, instruction)
        stage.image = stage.image.with_config(exposed_ports=frozenset(left))
    else:
        left = _without(config.labels, texts, instruction)
        stage.image = stage.image.with_config(labels={name: config.labels[name] for name in left})
    entry = f"UNSET {instruction.kind}"
    record(lowering, stage, f"{entry} {history.plain_list(texts)}" if texts else entry)


def _without(declared: Iterable[str], names: Sequence[str], instruction: UnsetInstruction) -> list[str]:
    """Return `declared` without `names`, sorted; empty if no names are given. Raises `SourceError`."""
    known = sorted(declared)
    for name in names:
        if name not in known:
            near = suggest(name, known)
            listed = f"declared are {', '.join(known)}" if known else "none is declared"
            raise source_error(
                f"{instruction.kind} {name} is not declared",
                instruction.span,
                help=f"did you mean {near}?" if near else listed,
            )
    return [name for name in known if names and name not in names]


def env_file(lowering: Lowering, stage: StageState, instruction: EnvFileInstruction) -> None:
    """Set the variables of a file in the format of `docker run --env-file`. Raises `SourceError`.

    Each line is `NAME=value`; values are taken literally; empty lines and lines that begin with # are skipped.
    """
    path = lowering.words.one(instruction.path, stage.environment, instruction.span)
    options = lowering.options
    try:
        data = read_context_file(
            path,
            lowering.bridge,
            context=options.context,
            local_name=options.context_local_name,
            excludes=options.excludes,
            session=options.sessions.get(options.context_local_name, ""),
        )
    except FileNotFoundError:
        raise source_error(
            f"{path} is not in the build context",
            instruction.span,
            help="is it left out by .dockerignore? paths start at the context's root, and lead to a file",
        ) from None
    except UserError as error:
        if not error.diagnostic.labels:
            error.diagnostic = error.diagnostic.at(instruction.span)
        raise
    set_env(lowering, stage, _variables(path, data, instruction.span))


def _variables(path: str, data: bytes, span: Span) -> list[tuple[str, str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise source_error(f"{path} is not UTF-8 text", span, help="save it in the UTF-8 encoding") from None
    source = Source(path, text)
    variables: list[tuple[str, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name) or "\0" in value:
            place = Span(source, number, 1, number, len(source.line(number)) + 1)
            raise SourceError(
                Diagnostic(
                    f"{path}:{number} sets no variable",
                    labels=[Label(place), Label(span, "read here", primary=False)],
                    notes=[("help", "write NAME=value; the value may be empty, and holds no zero byte")],
                )
            )
        variables.append((name, value))
    return variables
