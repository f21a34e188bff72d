"""Functions that a build module calls while it runs: they read files and the repository, and make values from texts.

Contents of files and facts about the repository are inputs of the build, and are recorded as such.
"""

from __future__ import annotations

from pybuild.lang.python import problems, quantities
from pybuild.lang.python.calls import call
from pybuild.lang.python.quantities import Duration, Plain, Platform, Raw, Size, Version
from pybuild.lang.python.recording import here, recording, wrong
from pybuild.lang.textual import forms, tree
from pybuild.lang.textual.expand.values import text_of
from pybuild.lang.textual.problems.types import bad_form
from pybuild.lang.textual.types import PLATFORM, VERSION, Basic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _asked(name: str, *positional: object) -> Any:
    return quantities.from_value(recording(name).value(call(name, positional, {})))


def read(path: str) -> str:
    """Return the text of a file beside the build module."""
    text: str = _asked("read", path)
    return text


def read_lines(path: str) -> list[str]:
    """Return the lines of a file, without their ends."""
    lines: list[str] = _asked("read_lines", path)
    return list(lines)


def read_toml(path: str, key: str) -> str:
    """Return a value of a TOML file, by its dotted key."""
    text: str = _asked("read_toml", path, key)
    return text


def read_json(path: str, key: str) -> str:
    """Return a value of a JSON file, by its dotted key."""
    text: str = _asked("read_json", path, key)
    return text


def glob(pattern: str) -> list[str]:
    """Return the files beside the build module that match a pattern, sorted by name."""
    paths: list[str] = _asked("glob", pattern)
    return list(paths)


class Vcs:
    """The repository of the build module. Without one, texts are `unknown`, `dirty` is False and `epoch` is 0."""

    __slots__ = ()

    def _member(self, name: str) -> Any:
        span = here().span
        expr = tree.Attribute(span, tree.Name(span, "vcs"), tree.Ident(span, name))
        return quantities.from_value(recording(f"vcs.{name}").value(expr))

    @property
    def commit(self) -> str:
        """The full commit hash."""
        return str(self._member("commit"))

    @property
    def short(self) -> str:
        """The shortened commit hash."""
        return str(self._member("short"))

    @property
    def tag(self) -> str:
        """The tag of the commit."""
        return str(self._member("tag"))

    @property
    def branch(self) -> str:
        """The branch."""
        return str(self._member("branch"))

    @property
    def describe(self) -> str:
        """The output of `git describe`."""
        return str(self._member("describe"))

    @property
    def dirty(self) -> bool:
        """True if there are uncommitted changes."""
        return bool(self._member("dirty"))

    @property
    def epoch(self) -> int:
        """The time of the commit, in seconds since 1970."""
        return int(self._member("epoch"))


vcs = Vcs()


def build_platform() -> Platform:
    """Return the platform that builds."""
    return Platform(recording("build_platform").options.build_platform)


def _formed(text: str, type: Basic) -> str:
    flaw = forms.flaw(type.name, text)
    if flaw is not None:
        raise wrong(bad_form(here().positional(0), type, text, flaw, literal=False))
    return text


def version(text: str) -> Version:
    """Make a dotted version, which can be compared."""
    return Version(_formed(text, VERSION))


def platform(text: str) -> Platform:
    """Make a platform from `os/arch[/variant]`, with its parts as `os`, `arch` and `variant`."""
    return Platform(_formed(text, PLATFORM))


def duration(text: str) -> Duration:
    """Make a duration from a text such as `30s` or `100ms`."""
    amount = quantities.duration_of(text)
    if amount is None:
        raise wrong(problems.not_measured(here().positional(0), "duration", text, "30s"))
    return amount


def size(text: str) -> Size:
    """Make a size from a text such as `64MiB`."""
    amount = quantities.size_of(text)
    if amount is None:
        raise wrong(problems.not_measured(here().positional(0), "size", text, "64MiB"))
    return amount


def raw(text: str) -> Raw:
    """Mark a text that `t.run` inserts as it is, unquoted."""
    return Raw(text)


def plain(text: str) -> Plain:
    """Mark a text whose `$X` stands for itself where `$X` is a variable of the container: in `t.env` and
    `t.workdir`."""
    return Plain(text)


def text(value: str | int | bool) -> str:
    """Return the text of a scalar as the language writes it: `true`, `64MiB`, `30s`."""
    return str(value) if isinstance(value, Size | Duration) else text_of(value)
