"""The command line, on click. No other module imports click."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from pybuild import __version__, failure
from pybuild.completion import COMMANDS, FORMATS, SHELLS, STAGES_COMMAND, command_flags
from pybuild.completion import script as completion_script
from pybuild.completion import stages as completion_stages
from pybuild.flags import MANY, REFUSED, SWITCH, Flag
from pybuild.lang.diagnostics import UsageError, suggest

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def run() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        code = failure.report(error, sys.stderr)
        _forget_stdout()
    raise SystemExit(code)


def main(arguments: list[str]) -> int:
    """Run a command line; the exit code. Raises what the command raises, click's own errors as UsageError."""
    try:
        result = _root.main(arguments, prog_name="pybuild", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise _usage_error(error) from None
    return result if isinstance(result, int) else 0


def _forget_stdout() -> None:
    """Leave nothing in the buffer for the interpreter to complain about when the reader has gone."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _usage_error(error: click.ClickException) -> UsageError:
    """Click's complaint in our form: lower case, no full stop, the nearest name as help."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "pybuild"
    if isinstance(error, click.NoSuchOption):
        names = [name for one in _options(context) for name in one.opts] if context is not None else []
        near = suggest(error.option_name, names)
        return UsageError(
            f"no such option: {error.option_name}",
            help=f"did you mean {near}?" if near else f"see {path} --help",
        )
    text = error.format_message().strip().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], help=f"see {path} --help")


def _options(context: click.Context) -> list[click.Option]:
    return [one for one in context.command.params if isinstance(one, click.Option) and not one.hidden]


class _Root(click.Group):
    """Unknown commands get the nearest name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = suggest(name, COMMANDS)
            raise UsageError(
                f"no such command: {name}",
                help=f"did you mean pybuild {near}?" if near else "commands are " + ", ".join(COMMANDS),
            )
        return super().resolve_command(ctx, args)


class _Command(click.Command):
    """Takes `--switch=true` and `--switch=false` as Go's flags do, and refuses by name what other versions of
    the program know."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        switches = {f"--{flag.long}": flag for flag in (*command_flags(ctx.info_name or ""), *REFUSED)}
        given: dict[str, bool] = {}
        rest: list[str] = []
        for place, word in enumerate(args):
            if word == "--":
                rest.extend(args[place:])
                break
            name, equals, value = word.partition("=")
            flag = switches.get(name)
            if flag is None or not equals or flag.kind != SWITCH:
                rest.append(word)
                continue
            from pybuild.options import boolean

            on = boolean(value, name)
            if flag in REFUSED:
                rest.extend([name] if on else [])
            else:
                given[flag.parameter] = on
        try:
            left = super().parse_args(ctx, rest)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        ctx.params.update(given)
        return left


def _option(flag: Flag) -> click.Option:
    names = [f"-{flag.short}"] if flag.short else []
    if flag.kind == SWITCH:
        return click.Option([*names, flag.spelling], is_flag=True, default=None, help=flag.help)
    return click.Option(
        [*names, flag.spelling],
        multiple=flag.kind == MANY,
        default=None,
        type=click.STRING,
        metavar=flag.value,
        help=flag.help,
    )


def _refused_option(flag: Flag) -> click.Option:
    def refuse(ctx: click.Context, param: click.Parameter, value: object) -> None:
        if value in (None, ()):
            return
        name = f"-{flag.short}" if flag.long == "param" else flag.spelling
        raise UsageError(
            f"{name} is not supported by this version of pybuild", help=f"{name} is for {flag.help}"
        )

    names = [f"-{flag.short}"] if flag.short else []
    if flag.kind == SWITCH:
        return click.Option(
            [*names, flag.spelling],
            is_flag=True,
            default=None,
            hidden=True,
            expose_value=False,
            callback=refuse,
        )
    return click.Option(
        [*names, flag.spelling],
        multiple=flag.kind == MANY,
        hidden=True,
        expose_value=False,
        callback=refuse,
    )


def _with_flags(command: click.Command) -> click.Command:
    name = command.name or ""
    command.params.extend(map(_option, command_flags(name)))
    if name in ("build", "graph"):
        command.params.extend(map(_refused_option, REFUSED))
    return command


@click.group(cls=_Root, context_settings=CONTEXT_SETTINGS, help="Build images without a daemon.")
@click.version_option(__version__, "--version", prog_name="pybuild", message="%(prog)s %(version)s")
def _root() -> None: ...


@click.command(
    "build",
    cls=_Command,
    context_settings=CONTEXT_SETTINGS,
    short_help=COMMANDS["build"],
    options_metavar="[OPTION]…",
)
@click.argument("words", nargs=-1, metavar="[TARGET | CONTEXT]")
def _build(words: tuple[str, ...], **given: Any) -> int:
    """Build an image from a Dockerfile.

    CONTEXT is a directory (default: this one), or - for a tar archive or a Dockerfile on standard input. A
    plain NAME that is no directory is the TARGET. Defaults come from pybuild.toml.
    """
    from pybuild.build import build
    from pybuild.building import run_build
    from pybuild.commandline import request

    asked = request(words, given)
    if asked.call != "build":
        from pybuild.call import run_call

        return run_call(asked)
    return run_build(asked, build)


@click.command(
    "graph",
    cls=_Command,
    context_settings=CONTEXT_SETTINGS,
    short_help=COMMANDS["graph"],
    options_metavar="[OPTION]…",
)
@click.argument("files", nargs=-1, metavar="[FILE | DIRECTORY]…")
def _graph(files: tuple[str, ...], format: str | None, **given: Any) -> int:
    """Print the graph of a build without running it.

    json is for reading, llb is BuildKit's wire format (for buildctl build), dot is for Graphviz.
    """
    from pybuild.build import graph
    from pybuild.commandline import graph_request
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

    format = format or "json"
    if format not in FORMATS:
        near = suggest(format, FORMATS)
        raise UsageError(
            f"unknown format {format!r}",
            help=f"did you mean {near}?" if near else "choose one of " + ", ".join(FORMATS),
        )
    if format == "llb" and len(files) > 1:
        raise UsageError("--format=llb is for one file", help="print one after the other")
    if format == "llb" and sys.stdout.isatty():
        raise UsageError("llb is binary: not written to a terminal", help="redirect it to a file")
    for file in files or (None,):
        data = graph(graph_request(file, given), Observer(), Cancellation(), format)
        sys.stdout.buffer.write(data if format == "llb" or data.endswith(b"\n") else data + b"\n")
    return 0


@click.command(
    "check",
    cls=_Command,
    context_settings=CONTEXT_SETTINGS,
    short_help=COMMANDS["check"],
    options_metavar="[OPTION]…",
)
@click.argument("files", nargs=-1, metavar="[FILE | DIRECTORY]…")
def _check(files: tuple[str, ...], fix: bool | None, format: str | None, **given: Any) -> int:
    """Check build files without building them.

    A directory stands for its Dockerfile (default: this one), - for standard input. The exit code is 0 when
    nothing was found, 1 for findings, 2 for a file that can't be built.
    """
    from pybuild.check import run_check

    return run_check(files, given, format=format or "text", fix=bool(fix))


@click.command(
    "fmt",
    cls=_Command,
    context_settings=CONTEXT_SETTINGS,
    short_help=COMMANDS["fmt"],
    options_metavar="[OPTION]…",
)
@click.argument("files", nargs=-1, metavar="[FILE | DIRECTORY | -]…")
def _fmt(files: tuple[str, ...], check: bool | None, diff: bool | None) -> int:
    """Format build files: keywords, spacing and continuation lines.

    A directory stands for its Dockerfile (default: this one); - formats standard input to standard output. What
    a build makes of the file stays the same.
    """
    from pybuild.formatting import run_fmt

    return run_fmt(files, check=bool(check), diff=bool(diff))


@click.command("prune", cls=_Command, context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["prune"])
def _prune(all: bool | None, force: bool | None) -> int:
    """Remove the store: every cached step, image and blob."""
    from pybuild.build import prune
    from pybuild.runtime.content.place import default_root

    if not all:
        raise UsageError(
            "removing parts of the store is not supported by this version of pybuild",
            help="pybuild prune --all removes all of it",
        )
    root = default_root()
    if not force:
        if not sys.stdin.isatty():
            raise UsageError(f"this removes {root}", help="add --force where nobody can be asked")
        if not click.confirm(f"Remove everything in {root}?", err=True):
            raise KeyboardInterrupt
    prune(root)
    return 0


@click.command("version", context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["version"])
def _version() -> None:
    """Print the version."""
    click.echo(f"pybuild {__version__}")


@click.command("completion", context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["completion"])
@click.argument("shell", metavar="bash|zsh|fish")
def _completion(shell: str) -> None:
    """Print a script that completes pybuild's commands and flags.

    Load it with: source <(pybuild completion bash)
    """
    if shell not in SHELLS:
        raise UsageError(f"no completion for {shell}", help="choose one of " + ", ".join(SHELLS))
    click.echo(completion_script(shell), nl=False)


@click.command(STAGES_COMMAND, hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def _stages(words: tuple[str, ...]) -> None:
    for name in completion_stages(words):
        click.echo(name)


for _command in (_build, _check, _fmt, _graph, _prune, _version, _completion, _stages):
    _root.add_command(_with_flags(_command))
