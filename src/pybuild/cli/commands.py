"""The command line, on click. No other module imports click."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from pybuild.cli.completion import COMMANDS, FORMATS, SHELLS, STAGES_COMMAND, command_flags
from pybuild.cli.completion import script as completion_script
from pybuild.cli.completion import stages as completion_stages
from pybuild.lang.diagnostics import UsageError, suggest
from pybuild.release import VERSION
from pybuild.request.flags import MANY, OPTIONAL, REFUSED, SWITCH, Flag

LATER = ("lsp", "debug")
"""Commands of the language that later versions have."""

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(arguments: list[str]) -> int:
    """Run a command line and return the exit code. Raises the command's errors, and click's as UsageError."""
    try:
        result = _root.main(arguments, prog_name="pybuild", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise _usage_error(error) from None
    return result if isinstance(result, int) else 0


def _usage_error(error: click.ClickException) -> UsageError:
    """Return click's error in pybuild's form: lower case, no full stop, the nearest name as help."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "pybuild"
    if isinstance(error, click.NoSuchOption):
        names = [name for option in _options(context) for name in option.opts] if context is not None else []
        near = suggest(error.option_name, names)
        return UsageError(
            f"no such option: {error.option_name}",
            help=f"did you mean {near}?" if near else f"see {path} --help",
        )
    text = error.format_message().strip().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], help=f"see {path} --help")


def _options(context: click.Context) -> list[click.Option]:
    return [param for param in context.command.params if isinstance(param, click.Option) and not param.hidden]


class _Root(click.Group):
    """The root command, which suggests the nearest name for an unknown command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in LATER:
            raise UsageError(f"pybuild {name} is not supported by this version of pybuild")
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = suggest(name, COMMANDS)
            raise UsageError(
                f"no such command: {name}",
                help=f"did you mean pybuild {near}?" if near else "commands are " + ", ".join(COMMANDS),
            )
        return super().resolve_command(ctx, args)


class _Command(click.Command):
    """A command that takes `--switch=true` and `--switch=false` as Go's flags do, and refuses flags of other
    versions of the program by name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        switches = {f"--{flag.long}": flag for flag in (*command_flags(ctx.info_name or ""), *REFUSED)}
        switch_values: dict[str, bool] = {}
        words: list[str] = []
        for place, word in enumerate(args):
            if word == "--":
                words.extend(args[place:])
                break
            name, equals, value = word.partition("=")
            flag = switches.get(name)
            if flag is None or not equals or flag.kind != SWITCH:
                words.append(word)
                continue
            from pybuild.request.values import boolean

            on = boolean(value, name)
            if flag in REFUSED:
                words.extend([name] if on else [])
            else:
                switch_values[flag.parameter] = on
        try:
            remaining = super().parse_args(ctx, words)
        except click.UsageError as error:
            # `_usage_error` names the command by it, and click doesn't set it on every error.
            error.ctx = error.ctx or ctx
            raise
        ctx.params.update(switch_values)
        return remaining


def _option(flag: Flag) -> click.Option:
    names = [f"-{flag.short}"] if flag.short else []
    if flag.kind == SWITCH:
        return click.Option([*names, flag.spelling], is_flag=True, default=None, help=flag.help)
    if flag.kind == OPTIONAL:
        return click.Option(
            [*names, flag.spelling],
            is_flag=False,
            flag_value=flag.words[0],
            default=None,
            type=click.STRING,
            metavar=f"[{flag.value}]",
            help=flag.help,
        )
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
        raise UsageError(
            f"{flag.spelling} is not supported by this version of pybuild",
            help=f"{flag.spelling} is for {flag.help}",
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
@click.version_option(VERSION, "--version", prog_name="pybuild", message="%(prog)s %(version)s")
def _root() -> None: ...


def _command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return the decorator that makes a function a command with the flags of that name."""
    return click.command(
        name,
        cls=_Command,
        context_settings=CONTEXT_SETTINGS,
        short_help=COMMANDS[name],
        options_metavar="[OPTION]…",
    )


@_command("build")
@click.argument("words", nargs=-1, metavar="[TARGET… | CONTEXT]")
def _build(words: tuple[str, ...], **flags: Any) -> int:
    """Build images from a .pybuild file, a Dockerfile or a Python module.

    CONTEXT is a directory (default: this one), or - for a tar archive or a Dockerfile on standard input. A
    plain NAME that is no directory is a TARGET, NAME[AXIS=VALUE,…] an instance of one. Defaults come from
    pybuild.toml.
    """
    from pybuild.build.pipeline import build
    from pybuild.cli.request_from_flags import request
    from pybuild.cli.run_build import run_build

    build_request = request(words, flags)
    if build_request.call != "build":
        from pybuild.cli.subrequest import run_call

        return run_call(build_request)
    return run_build(build_request, build)


@_command("graph")
@click.argument("words", nargs=-1, metavar="[TARGET… | FILE | DIRECTORY]…")
def _graph(words: tuple[str, ...], format: str | None, linked: bool | None, **flags: Any) -> int:
    """Print the graph of a build without running it.

    json is for reading, llb is BuildKit's wire format (for buildctl build), dot is for Graphviz. Words that name no
    file or directory are targets. That of a .pybuild file or a module is as that alone decides it: --linked resolves
    references too, as llb always does.
    """
    from pybuild.build.graph import graph
    from pybuild.cli.request_from_flags import files_and_targets, graph_request, with_targets
    from pybuild.cli.terminal import Notices
    from pybuild.request.values import known
    from pybuild.runtime.solver.types import Cancellation

    format = known(format or "json", FORMATS, "format")
    files, targets = files_and_targets(words)
    if format == "llb" and len(files) > 1:
        raise UsageError("--format=llb is for one file", help="print one after the other")
    if format == "llb" and sys.stdout.isatty():
        raise UsageError("llb is binary: not written to a terminal", help="redirect it to a file")
    for file in files or (None,):
        request = graph_request(file, with_targets(flags, targets))
        data = graph(request, Notices(), Cancellation(), format, linked=bool(linked))
        sys.stdout.buffer.write(data if format == "llb" or data.endswith(b"\n") else data + b"\n")
    return 0


@_command("check")
@click.argument("words", nargs=-1, metavar="[TARGET… | FILE | DIRECTORY]…")
def _check(words: tuple[str, ...], fix: bool | None, format: str | None, **flags: Any) -> int:
    """Check build files without building them.

    A directory stands for its build file (default: this one), - for standard input; words that name neither are
    targets (default: all that the file declares). The exit code is 0 when nothing was found, 1 for findings, 2 for a
    file that can't be built.
    """
    from pybuild.cli.check import run_check
    from pybuild.cli.request_from_flags import files_and_targets, with_targets

    files, targets = files_and_targets(words)
    return run_check(files, with_targets(flags, targets), format=format or "text", fix=bool(fix))


@_command("fmt")
@click.argument("files", nargs=-1, metavar="[FILE | DIRECTORY | -]…")
def _fmt(files: tuple[str, ...], check: bool | None, diff: bool | None) -> int:
    """Format build files: keywords, spacing and continuation lines.

    A directory stands for its Dockerfile (default: this one); - formats standard input to standard output. What
    a build makes of the file stays the same.
    """
    from pybuild.cli.fmt import run_fmt

    return run_fmt(files, check=bool(check), diff=bool(diff))


@_command("convert")
@click.argument("file", required=False, metavar="[FILE | DIRECTORY | -]")
def _convert(file: str | None, to: str | None, output: str | None, context: str | None, **flags: Any) -> int:
    """Convert a Dockerfile to a .pybuild file, or either of them to a Python module.

    A directory stands for its build file (default: this one). A build of the result makes the same files and the
    same image config; where something differs a comment says so, and a line on standard error.
    """
    from pybuild.cli.convert import run_convert

    linked, force = bool(flags["linked"]), bool(flags["force"])
    return run_convert(file or ".", to=to, output=output, context=context, linked=linked, force=force)


@_command("test")
@click.argument("words", nargs=-1, metavar="[TEST… | DIRECTORY]")
def _test(words: tuple[str, ...], **flags: Any) -> int:
    """Run the tests of a .pybuild file or a Python module, side by side.

    Without a name all of them are run. A test whose inputs are as they were is not run again. The exit code is 1
    when one failed.
    """
    from pybuild.cli.request_from_flags import request
    from pybuild.cli.run_tests import run_tests

    return run_tests(request(words, flags))


@_command("list")
@click.argument("path", required=False, metavar="[FILE | DIRECTORY]")
def _list(path: str | None, format: str | None, **flags: Any) -> None:
    """List the targets, tests, groups and params of a .pybuild file or a Python module, and its secrets."""
    from pybuild.cli.list_targets import list_targets
    from pybuild.cli.request_from_flags import graph_request
    from pybuild.request.call import FORMATS
    from pybuild.request.values import known

    form = known(format or "text", FORMATS, "format")
    click.echo(list_targets(graph_request(path, flags), form), nl=False)


@_command("lock")
@click.argument("words", nargs=-1, metavar="[TARGET… | DIRECTORY]")
def _lock(words: tuple[str, ...], update: str | None, **flags: Any) -> int:
    """Resolve what a .pybuild file or a module refers to and write it to pybuild.lock; nothing is built.

    All targets are looked at, unless some are named. Entries stay as they are without --update, which moves those
    that match PATTERN (default: all) and removes those that nothing uses.
    """
    from pybuild.cli.lock import run_lock
    from pybuild.cli.request_from_flags import request

    return run_lock(request(words, flags), update)


@click.command("init", context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["init"])
@click.argument("directory", required=False, metavar="[DIRECTORY]")
def _init(directory: str | None) -> None:
    """Write a small build.pybuild for the project in a directory (default: this one).

    It knows Python, Node.js, Go and Rust projects and sites of plain files by their manifests. A file that is
    there is never overwritten.
    """
    from pybuild.cli.init import init

    click.echo(init(directory or "").text(), nl=False)


@_command("trust")
@click.argument("directory", required=False, metavar="[DIRECTORY]")
def _trust(directory: str | None, list: bool | None, revoke: bool | None) -> None:
    """Show what a project requests, and remember that it may have it.

    A pybuild.toml may request what reaches beyond its project, and a build.py to run on this machine. That is
    refused unless it is on the command line, or was remembered here for DIRECTORY (default: this one). A request that
    is added later is refused again.
    """
    from pybuild.cli import trust

    if list and (revoke or directory):
        raise UsageError("--list takes nothing else", help="pybuild trust --list")
    if list:
        return click.echo(trust.list_trusted(), nl=False)
    click.echo((trust.revoke if revoke else trust.trust_directory)(directory or "."), nl=False)


@_command("verify")
@click.argument("paths", nargs=-1, metavar="ARCHIVE|LAYOUT…")
def _verify(paths: tuple[str, ...], format: str | None, max_layer_size: str | None) -> int:
    """Verify images in files: every digest, size and diff ID is derived again from the bytes.

    An image is the directory of an OCI layout, an archive of one, or an archive of docker save. The exit code is 0
    when all are sound, 1 when something is wrong, 2 for a file that is no image.
    """
    from pybuild.cli.verify import FORMATS, run_verify
    from pybuild.request.values import known, size

    format = known(format or "text", FORMATS, "format")
    return run_verify(paths, format=format, layer=None if max_layer_size is None else size(max_layer_size))


@_command("doctor")
def _doctor(format: str | None) -> int:
    """Tell what this machine allows builds, what they use of it, and how to lift what is missing.

    The exit code is 0 if builds with RUN work here, 1 if only builds without RUN do.
    """
    from pybuild.cli.doctor import run_doctor
    from pybuild.request.values import known

    return run_doctor(known(format or "text", ("text", "json"), "format"))


@click.command("explain", context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["explain"])
@click.argument("code", metavar="CODE")
def _explain(code: str) -> None:
    """Explain the message with a code, such as E0503: what it means, why, and an example."""
    from pybuild.cli.explain import page

    click.echo(page(code), nl=False)


@click.command("prune", cls=_Command, context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["prune"])
def _prune(all: bool | None, force: bool | None) -> int:
    """Remove the store: every cached step, image and blob."""
    from pybuild.cli.prune import prune
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


@_command("solve")
def _solve(definition: str | None, frontend: str | None, **flags: Any) -> int:
    """Solve a graph in BuildKit's wire format, as any client writes it, and export the result.

    The graph comes from standard input: pybuild graph --format=llb | pybuild solve --local context=. With --frontend
    that one makes it, as its attributes (--opt) say: dockerfile.v0, or gateway.v0 and --opt source=IMAGE.
    """
    from pybuild.cli.request_from_flags import request
    from pybuild.cli.solve import read_solve, run_solve

    options, directories, layouts = (flags.pop(name) or () for name in ("opt", "local", "oci_layout"))
    build_request = request((), flags)
    return run_solve(read_solve(definition, frontend, options, directories, layouts), build_request)


_RAW = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a command that reads its words itself."""


@click.command("serve", add_help_option=False, context_settings=_RAW, short_help=COMMANDS["serve"])
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def _serve(words: tuple[str, ...]) -> int:
    """Serve BuildKit's clients. The flags are buildkitd's."""
    from pybuild.daemon.serving import serve

    return serve(words)


@click.command("buildkitd", add_help_option=False, hidden=True, context_settings=_RAW)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def _buildkitd(words: tuple[str, ...]) -> int:
    """Another name of `pybuild serve`."""
    from pybuild.daemon.serving import serve

    return serve(words)


@click.command("version", context_settings=CONTEXT_SETTINGS, short_help=COMMANDS["version"])
def _version() -> None:
    """Print the version."""
    click.echo(f"pybuild {VERSION}")


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


for _each in (
    _build,
    _test,
    _check,
    _convert,
    _fmt,
    _graph,
    _init,
    _list,
    _lock,
    _doctor,
    _explain,
    _trust,
    _verify,
    _prune,
    _serve,
    _solve,
    _buildkitd,
    _version,
    _completion,
    _stages,
):
    _root.add_command(_with_flags(_each))
