"""What is fuzzed: each target takes any bytes and checks what comes of them.

A target ends well when the code gives a result that keeps its laws, or refuses the input by an error of its own
kind; a `UserError` must make a message that can be printed. Anything else that is raised is a finding. Where a
target has modes, the checksum of the input chooses one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.compiler.lower.dockerfile.world import DIGEST, World, image_config
from tests.fuzz import foreign, language
from tests.fuzz.showing import Target, mode_of, show, text_of

from pybuild.compiler import platforms, reference
from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.graph import walk
from pybuild.compiler.image import parse as parse_image
from pybuild.compiler.lower.dockerfile import LoweredTarget, LowerOptions, lower
from pybuild.compiler.ops import Platform
from pybuild.compiler.urls import download_name, is_http
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile import shellpattern, wildcard
from pybuild.lang.dockerfile.durations import parse_duration
from pybuild.lang.dockerfile.fields import BadFields, split_fields
from pybuild.lang.dockerfile.fix import count_fixable, fix_all
from pybuild.lang.dockerfile.fmt import format_text
from pybuild.lang.dockerfile.ignore import Matcher, PatternError, State, read_patterns
from pybuild.lang.dockerfile.instructions import Dockerfile, RunMount
from pybuild.lang.dockerfile.lint.config import BadCheck, parse_check
from pybuild.lang.dockerfile.lint.linter import Finding, Linter, LintViolation
from pybuild.lang.dockerfile.mount_options import read_options
from pybuild.lang.dockerfile.parse import decode, parse, parse_onbuild
from pybuild.lang.dockerfile.words import Lex, WordError
from pybuild.lang.frontends import choose, detect_syntax, refused
from pybuild.lang.source import Source, Span

ROOT = Path(__file__).resolve().parents[2]
WATCHED = (
    *(ROOT / "lang", ROOT / "compiler", ROOT / "src/pybuild/language"),
    *(ROOT / "runtime/image", ROOT / "runtime/registry"),
)

_AMD64 = Platform("amd64", "linux")
_NAME = "Dockerfile"
_ENVIRONMENT = {"a": "xaxbx", "b": "", "E": "a b", "PATH": "/bin:/usr/bin", "é": "ü\nü"}
_PLACE = Span(Source(_NAME, "x"), 1, 1, 1, 2)


class AnyWorld(World):
    """Has every image; one whose name has `trigger` in it has the triggers given."""

    def __init__(self, triggers: Iterable[str] = ()) -> None:
        super().__init__()
        self.triggers = list(triggers)

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        config: dict[str, object] = {"OnBuild": self.triggers} if "trigger" in ref else {}
        return ResolvedImage(ref, DIGEST, image_config(config))


def parsed(data: bytes) -> Dockerfile | None:
    """The file, None if it is refused."""
    try:
        return parse(decode(_NAME, data), show)
    except UserError as error:
        show(error.diagnostic)
        return None


def lowered(
    source: Source, world: World, linter: Linter | None = None, **options: Any
) -> LoweredTarget | None:
    """The target's graph, None if the file is refused."""
    options.setdefault("build_platforms", (_AMD64,))
    try:
        file = parse(source, linter=linter)
        result = lower(file, LowerOptions(linter=linter, **options), world)
        for vertex in walk([result.edge]) if result.edge is not None else ():
            assert vertex.digest
        result.image.to_json()
    except UserError as error:
        show(error.diagnostic)
        return None
    finally:
        for warning in world.warnings:
            show(warning)
    return result


def fuzz_parse(data: bytes) -> None:
    file = parsed(data)
    if file is None:
        return
    assert file == parsed(data)
    for stage in file.stages:
        assert stage.span.source.line(stage.span.line)
    try:
        parse(
            decode(_NAME, b"# syntax=pybuild/dockerfile:1\n" + data), read=lambda path: data[: len(data) // 2]
        )
    except UserError as error:
        show(error.diagnostic)


def fuzz_trigger(data: bytes) -> None:
    try:
        parse_onbuild(text_of(data), "ONBUILD of base", show)
    except UserError as error:
        show(error.diagnostic)


def fuzz_syntax(data: bytes) -> None:
    syntax = detect_syntax(data)
    if syntax is None:
        return
    frontend = choose(syntax.reference)
    source = Source(_NAME, text_of(data).removeprefix("\ufeff"))
    show(refused(frontend, syntax, source).diagnostic)
    show(refused(frontend).diagnostic)


def fuzz_words(data: bytes) -> None:
    mode = mode_of(data, 32)
    lex = Lex("`" if mode & 1 else "\\")
    lex.raw_quotes, lex.raw_escapes, lex.skip_quotes, lex.skip_unset_env = (
        bool(mode & 2**n) for n in range(1, 5)
    )
    text = text_of(data)
    try:
        found = lex.word(text, _ENVIRONMENT)
        assert found.matched <= _ENVIRONMENT.keys()
        assert not found.unmatched & _ENVIRONMENT.keys()
    except WordError:
        assert _refused(WordError, lambda: lex.words(text, _ENVIRONMENT))
        return
    assert all(lex.words(text, _ENVIRONMENT))


def _refused(kind: type[Exception], act: Callable[[], object]) -> bool:
    """Whether `act` raises this kind of error. Python's own errors, which may derive from it, go on."""
    try:
        act()
    except kind as error:
        if isinstance(error, UnicodeError) or "Exceeds the limit" in str(error):
            raise
        return True
    return False


def fuzz_patterns(data: bytes) -> None:
    """Patterns of `${a#…}`, with the value behind the first line feed."""
    pattern, _, value = text_of(data).partition("\n")
    if _refused(ValueError, lambda: shellpattern.replace(pattern, "<$0>", value, every=True)):
        return
    shellpattern.replace(pattern, "<$0>", value, every=False)
    for longest in (False, True):
        assert value.endswith(shellpattern.trim_prefix(pattern, value, longest=longest))
        assert value.startswith(shellpattern.trim_suffix(pattern, value, longest=longest))


def fuzz_wildcard(data: bytes) -> None:
    """A wildcard, with the name behind the first line feed."""
    pattern, _, name = text_of(data).partition("\n")
    if _refused(ValueError, lambda: wildcard.check(pattern)):
        return
    if wildcard.match(pattern, name) and not wildcard.has_wildcard(pattern):
        assert len(name) <= len(pattern)


def fuzz_ignore(data: bytes) -> None:
    """An ignore file; its own lines are the paths asked for."""
    text = text_of(data)
    try:
        matcher = Matcher(read_patterns(text))
    except PatternError as error:
        show(error.diagnostic)
        return
    for line in text.split("\n")[:8]:
        names = [name for name in line.strip("! \t").split("/") if name not in ("", ".", "..")][:8]
        _walk(matcher, names)


def _walk(matcher: Matcher, names: list[str]) -> None:
    state: State = matcher.root()
    for depth, name in enumerate(names, 1):
        path = "/".join(names[:depth])
        assert matcher.matches(path) == state.ignores(name)
        below = state.enter(name)
        assert below.ignored == state.ignores(name)
        assert not (state.prunable and not below.prunable)
        state = below


def fuzz_mount(data: bytes) -> None:
    """The value of a --mount."""
    try:
        fields = split_fields(text_of(data))
    except BadFields:
        return
    options = [field.partition("=") for field in fields]
    mount = RunMount(_PLACE, tuple((name, value if equals else None) for name, equals, value in options))
    try:
        read = read_options(mount, lambda text: text)
    except UserError as error:
        show(error.diagnostic)
        return
    assert 0 <= read.size < 2**63


def fuzz_names(data: bytes) -> None:
    """Addresses, image references, platforms, durations, checks: one value each."""
    text = text_of(data)
    try:
        parse_git_ref(text)
    except UserError as error:
        show(error.diagnostic)
    _refused(reference.InvalidReference, lambda: reference.parse(text))
    _refused(platforms.BadPlatform, lambda: platforms.parse_specifier(text))
    _refused(BadCheck, lambda: parse_check(text))
    _refused(ValueError, lambda: parse_duration(text))
    if is_http(text):
        assert "/" not in download_name(text)


def fuzz_image(data: bytes) -> None:
    """The config of a base image, as a registry may give it."""
    try:
        image = parse_image(data)
    except UserError as error:
        show(error.diagnostic)
        return
    assert parse_image(image.to_json()).to_json() == image.to_json()


def fuzz_lower(data: bytes) -> None:
    mode = mode_of(data, 8)
    try:
        source = decode(_NAME, data)
    except UserError as error:
        show(error.diagnostic)
        return
    options: dict[str, Any] = {
        "lint_all": bool(mode & 1),
        "build_args": {"a": "1", "b": "$a"} if mode & 2 else {},
        "target_platform": Platform("arm64", "linux") if mode & 4 else None,
    }
    first, second = (lowered(source, AnyWorld(["RUN x", "COPY a b"]), **options) for _ in range(2))
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.image == second.image
        digests = [one.edge.vertex.digest if one.edge is not None else "" for one in (first, second)]
        assert digests[0] == digests[1]


def fuzz_lower_triggers(data: bytes) -> None:
    """Triggers of a base image, one a line."""
    lowered(Source(_NAME, "FROM base AS a\nFROM trigger AS E\nRUN x\n"), AnyWorld(text_of(data).split("\n")))


def fuzz_format(data: bytes) -> None:
    if parsed(data) is None:
        return
    done = format_text(decode(_NAME, data))
    assert format_text(Source(_NAME, done)) == done


def fuzz_fix(data: bytes) -> None:
    def lint(source: Source) -> list[Finding]:
        linter = Linter(parse_check(""))
        lowered(source, AnyWorld(), linter, lint_all=True)
        return linter.findings

    if parsed(data) is None:
        return
    source = decode(_NAME, data)
    for finding in lint(source):
        show(finding.diagnostic)
    show(LintViolation(("StageNameCasing",), None).diagnostic)
    fixed, done = fix_all(source, lint)
    count_fixable(fixed, lint(fixed))
    assert done or fixed.text == source.text
    assert fix_all(fixed, lint)[0].text == fixed.text
    parse(fixed)


TARGETS: dict[str, Target] = {
    "parse": fuzz_parse,
    "trigger": fuzz_trigger,
    "syntax": fuzz_syntax,
    "words": fuzz_words,
    "patterns": fuzz_patterns,
    "wildcard": fuzz_wildcard,
    "ignore": fuzz_ignore,
    "mount": fuzz_mount,
    "names": fuzz_names,
    "image": fuzz_image,
    "lower": fuzz_lower,
    "lower-triggers": fuzz_lower_triggers,
    "format": fuzz_format,
    "fix": fuzz_fix,
    **language.TARGETS,
    **foreign.TARGETS,
}
