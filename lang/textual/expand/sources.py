"""Sources (language spec, section 10), converted to states of the recipe."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from hashlib import sha256

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import modules
from pybuild.lang.textual.expand import globs, reads, run_options
from pybuild.lang.textual.expand.arguments import Arguments
from pybuild.lang.textual.expand.conversions import plain
from pybuild.lang.textual.expand.frame import Compilation, Frame
from pybuild.lang.textual.expand.values import Value, text_of
from pybuild.lang.textual.problems import states as states_problems
from pybuild.lang.textual.problems import values as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

Source = Callable[[Arguments, Frame, Compilation], Value]

_SHA256: Final = re.compile("[0-9a-f]{64}")
_HTTP: Final = re.compile(r"https?://[^/\s]+(?:[/?#]\S*)?", re.IGNORECASE)
_GIT: Final = re.compile(r"(?:https?|ssh|git|file)://\S+|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:\S+", re.IGNORECASE)
_LAYOUT: Final = re.compile(
    r"(?P<path>.*?)(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?", re.DOTALL
)


def _image(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    platform = arguments.text("platform") or frame.taken_for
    return recipe.Image(arguments.span, arguments.text("ref"), text_of(platform))


def _git(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    url = plain(arguments.text("url"), frame)
    if not _GIT.fullmatch(url) or "#" in url:
        example = "https://github.com/acme/tools.git"
        raise SourceError(problems.bad_address(arguments.place("url"), url, "a git repository", example))
    ref = plain(arguments.text("ref", "HEAD"), frame)
    if not ref or re.search(r"[\s\x00-\x1f\x7f~^:?*\[\\#]|\.\.", ref) or ref.startswith("-"):
        span = arguments.place("ref")
        reason = "a branch, a tag or a commit is needed"
        raise SourceError(problems.unfit(span, "git", "a git reference", ref, reason))
    subdir = globs.normal(plain(arguments.text("subdir"), frame))
    if subdir is None:
        raise SourceError(states_problems.leaves_root(arguments.place("subdir"), arguments.text("subdir")))
    token, agent = _logins(arguments, "git")
    return recipe.Git(
        arguments.span,
        url=url,
        ref=ref,
        subdir="" if subdir == "." else subdir,
        submodules=arguments.flag("submodules", True),
        keep_git=arguments.flag("keep_git"),
        token=token,
        ssh=agent,
    )


def _http(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    url = plain(arguments.text("url"), frame)
    if not _HTTP.fullmatch(url):
        raise SourceError(
            problems.bad_address(arguments.place("url"), url, "a file", "https://example.com/a.tar.gz")
        )
    name = plain(arguments.text("name"), frame)
    if name in (".", "..") or "/" in name or "\0" in name:
        reason = "a name without `/` is needed"
        raise SourceError(problems.unfit(arguments.place("name"), "http", "a file name", name, reason))
    strip = arguments.integer("strip")
    if strip < 0:
        reason = "it counts components: 0 or more"
        raise SourceError(problems.unfit(arguments.place("strip"), "http", "a count", str(strip), reason))
    token, _ = _logins(arguments, "http")
    return recipe.Http(
        arguments.span,
        url=url,
        sha256=_checksum(arguments, frame),
        name=name,
        unpack=arguments.flag("unpack"),
        strip=strip,
        mode=run_options.mode(arguments, 0o644),
        auth=token,
    )


def _checksum(arguments: Arguments, frame: Frame) -> str:
    text = plain(arguments.text("sha256"), frame)
    if not text or _SHA256.fullmatch(text):
        return text
    argument = arguments["sha256"]
    instead = text.strip().lower().removeprefix("sha256:")
    instead = instead if _SHA256.fullmatch(instead) else ""
    raise SourceError(problems.bad_checksum(argument.span, text, instead, literal=argument.literal))


def _logins(arguments: Arguments, word: str) -> tuple[str, str]:
    """Return the ids of the secret and of the agent in the options of `auth`, "" if absent."""
    options = arguments.value("auth")
    tokens: list[str] = []
    agents: list[str] = []
    for option in options if isinstance(options, tuple) else ():
        if isinstance(option, recipe.SecretMount):
            tokens.append(option.id)
        elif isinstance(option, recipe.AgentMount) and word == "git":
            agents.append(option.id)
        else:
            takes = "`secret(…)` and `ssh()`" if word == "git" else "`secret(…)`"
            raise SourceError(problems.not_auth(arguments.place("auth"), word, takes))
    for ids, kind in ((tokens, "secret"), (agents, "agent")):
        if len(ids) > 1:
            raise SourceError(problems.second_auth(arguments.place("auth"), word, kind))
    return "".join(tokens), "".join(agents)


def _local(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    path = _on_this_machine(arguments, "local", arguments.text("path"), frame, compilation)
    include, exclude = arguments.texts("include"), arguments.texts("exclude")
    place = posixpath.relpath(path, compilation.options.project)
    name = f"local:{path if place.startswith('../') else place}"
    if include or exclude:
        patterns = "\0".join((*include, "", *exclude))
        name += f":{sha256(patterns.encode(errors='surrogateescape')).hexdigest()[:12]}"
    return recipe.Directory(arguments.span, path, name, exclude=exclude, include=include)


def _oci(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = arguments.text("path")
    match = _LAYOUT.fullmatch(text)
    written, suffix = (match["path"], text[len(match["path"]) :]) if match else (text, "")
    path = _on_this_machine(arguments, "oci", written, frame, compilation)
    return recipe.Layout(arguments.span, path + suffix, frame.taken_for)


def _on_this_machine(
    arguments: Arguments, word: str, path: str, frame: Frame, compilation: Compilation
) -> str:
    """Return the absolute path of a source on this machine. A path outside the project needs permission, and must
    not come from a foreign module."""
    span = arguments.place("path")
    module = frame.module.module
    directory = module.place.absolute(".")
    if directory is None:
        raise SourceError(problems.not_on_this_machine(span, word, path))
    inside = None if path.startswith("/") else globs.normal(path)
    absolute = posixpath.normpath(posixpath.join(directory, path))
    if inside is not None:
        kind = module.place.kind(inside)
        if kind not in ("dir", "link"):
            where = f"beside {module.file.source.name}"
            raise SourceError(problems.not_there(span, word, path, where))
        destination = module.place.absolute(inside) if kind == "link" else absolute
        if destination is None or destination == absolute:
            return absolute
        absolute = destination
    if module.origin not in (modules.ROOT, modules.PROJECT):
        raise SourceError(problems.not_on_this_machine(span, word, path))
    project = posixpath.normpath(compilation.options.project)
    in_project = f"{absolute}/".startswith(f"{project.rstrip('/')}/")
    if not in_project and not compilation.world.may_read(absolute):
        raise SourceError(problems.may_not_read(span, absolute))
    return absolute


def _dockerfile(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = reads.file(arguments["path"], "dockerfile", frame, compilation)
    path = globs.normal(arguments.text("path")) or ""
    contexts = {
        name: state
        for name, state in arguments.mapping("contexts").items()
        if isinstance(state, recipe.State)
    }
    return recipe.Dockerfile(
        arguments.span,
        text=text,
        name=reads.named(path, frame),
        context=arguments.state("context") or compilation.context(frame.module),
        target=plain(arguments.text("target"), frame),
        platform=frame.taken_for,
        args={name: text_of(value) for name, value in arguments.mapping("args").items()},
        contexts=contexts,
        ignore=reads.optional_file(f"{path}.dockerignore", frame, compilation),
    )


def _frontend(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Frontend(
        arguments.span,
        arguments.text("ref"),
        frame.taken_for,
        inputs={
            name: state
            for name, state in arguments.mapping("inputs").items()
            if isinstance(state, recipe.State)
        },
        options={name: text_of(value) for name, value in arguments.mapping("opts").items()},
    )


def _host(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    commands = tuple(plain(command, frame) for command in arguments.texts("commands"))
    span = arguments.place("commands")
    if not commands:
        raise SourceError(problems.unfit(span, "host", "the names of commands", "", "the list is empty"))
    for command in commands:
        if not command or "\0" in command or ("/" in command and not command.startswith("/")):
            reason = "a name or an absolute path is needed"
            raise SourceError(problems.unfit(span, "host", "a command", command, reason))
    return recipe.Host(arguments.span, commands)


def _merge(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    states = tuple(one.value for one in arguments.rest if isinstance(one.value, recipe.State))
    if not states:
        raise SourceError(problems.unfit(arguments.span, "merge", "states", "", "there are none"))
    return recipe.Merge(arguments.span, states)


def _diff(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    lower, upper = arguments.state("lower"), arguments.state("upper")
    if lower is None or upper is None:
        raise TypeError(f"{arguments.span.place}: a difference is one of two states")
    return recipe.Diff(arguments.span, lower, upper)


SOURCES: Final[Mapping[str, Source]] = {
    "image": _image,
    "git": _git,
    "http": _http,
    "local": _local,
    "oci": _oci,
    "dockerfile": _dockerfile,
    "frontend": _frontend,
    "host": _host,
    "merge": _merge,
    "diff": _diff,
}
