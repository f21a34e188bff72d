"""The built-ins of the language as data: functions, sources, run options, options of statements, values (language
spec, sections 9 and 10). The checker, the expansion, completion and the reference read these tables."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.textual.types import (
    BOOL,
    DURATION,
    INT,
    OPTION,
    PATH,
    PLATFORM,
    REF,
    SIZE,
    STATE,
    STR,
    VERSION,
    Basic,
    ListOf,
    Literals,
    MapOf,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ANY: Final = Basic("any")
"""A type for signatures only: the function itself checks its argument."""

OWNER: Final = Basic("owner")
"""A type for signatures only: the text `"user[:group]"`, by name or number."""

MODE: Final = Basic("mode")
"""A type for signatures only: an int, or a symbolic mode as a str."""


@frozen
class Parameter:
    """A parameter of a signature.

    `default` is source text, as the reference shows it; None means that the argument is required, "" that it is
    optional without a default. `many` takes all positional arguments from here on."""

    name: str
    type: Type
    default: str | None = None
    many: bool = False


@frozen
class Signature:
    """The signature of a built-in.

    `kind` is `function`, `source` or `option`. `open`, if set, is the type of arguments with arbitrary names
    (`env(A="x")`). `root_only` built-ins may stand in the root file only, and those with `capability` not in
    modules from outside the project (E0902)."""

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    returns: Type
    doc: str
    open: Type | None = None
    root_only: bool = False
    capability: bool = False


_STRINGS: Final = ListOf(STR)
_TEXTS: Final = MapOf(STR)


def _signature(
    name: str, kind: str, returns: Type, doc: str, *parameters: Parameter, **more: object
) -> Signature:
    return Signature(name, kind, parameters, returns, doc, **more)  # type: ignore[arg-type]


_P = Parameter
_SOURCES: Final = (
    _signature(
        "image",
        "source",
        STATE,
        "An image of a registry; `platform` is the one being built for.",
        _P("ref", REF),
        _P("platform", PLATFORM, ""),
    ),
    _signature(
        "git",
        "source",
        STATE,
        "A repository at a branch, tag or commit, or the part of it below `subdir`. `auth` takes `secret(id)`, a "
        "token, and `ssh()`.",
        _P("url", STR),
        _P("ref", STR, '"HEAD"'),
        _P("subdir", STR, '""'),
        _P("submodules", BOOL, "true"),
        _P("keep_git", BOOL, "false"),
        _P("auth", ListOf(OPTION), "[]"),
    ),
    _signature(
        "http",
        "source",
        STATE,
        "A file at an address, under the last component of its path or `name`; with `unpack` what the archive holds, "
        "without the first `strip` components of each name. `auth` takes `secret(id)`, the Authorization header.",
        _P("url", STR),
        _P("sha256", STR, '""'),
        _P("name", STR, '""'),
        _P("unpack", BOOL, "false"),
        _P("strip", INT, "0"),
        _P("mode", MODE, "0o644"),
        _P("auth", ListOf(OPTION), "[]"),
    ),
    _signature(
        "local",
        "source",
        STATE,
        "A directory beside the root file; elsewhere it needs `--allow read=PATH`. `include` and `exclude` are "
        "patterns of .dockerignore.",
        _P("path", PATH),
        _P("include", _STRINGS, "[]"),
        _P("exclude", _STRINGS, "[]"),
        root_only=True,
        capability=True,
    ),
    _signature("oci", "source", STATE, "An image of an OCI layout: `PATH[:TAG][@DIGEST]`.", _P("path", PATH)),
    _signature(
        "dockerfile",
        "source",
        STATE,
        "A stage of a Dockerfile (the last one), its steps inlined; `args` are build arguments, `contexts` named "
        "contexts.",
        _P("path", PATH),
        _P("context", STATE, "context"),
        _P("target", STR, '""'),
        _P("args", _TEXTS, "{}"),
        _P("contexts", MapOf(STATE), "{}"),
    ),
    _signature(
        "frontend",
        "source",
        STATE,
        "What a frontend image makes of `inputs` and `opts`.",
        _P("ref", REF),
        _P("inputs", MapOf(STATE), "{}"),
        _P("opts", _TEXTS, "{}"),
    ),
    _signature(
        "host",
        "source",
        STATE,
        "A small root file system made of commands of this machine and the libraries they need.",
        _P("commands", _STRINGS),
        root_only=True,
    ),
    _signature(
        "merge",
        "source",
        STATE,
        "File systems laid over one another, the last on top; the image config is the first one's.",
        _P("states", STATE, many=True),
    ),
    _signature(
        "diff",
        "source",
        STATE,
        "What has to be laid over `lower` to get `upper`; the image config is `upper`'s.",
        _P("lower", STATE),
        _P("upper", STATE),
    ),
)

_OPTIONS: Final = (
    _signature(
        "cache",
        "option",
        OPTION,
        "A directory kept between builds.",
        _P("path", PATH),
        _P("id", STR, "path"),
        _P("scope", Literals(("project", "user")), '"project"'),
        _P("sharing", Literals(("shared", "private", "locked")), '"shared"'),
        _P("seed", STATE, "scratch"),
        _P("uid", INT, ""),
        _P("gid", INT, ""),
        _P("mode", INT, "0o755"),
    ),
    _signature(
        "bind",
        "option",
        OPTION,
        "Another state, or its part at `path`, at `at`; with `rw` it may be written to, and what is written is "
        "dropped.",
        _P("state", STATE),
        _P("at", PATH),
        _P("path", PATH, '"/"'),
        _P("rw", BOOL, "false"),
    ),
    _signature(
        "secret",
        "option",
        OPTION,
        "A secret as a file or as an environment variable. `rev` is in the cache key, the value never is.",
        _P("id", STR),
        _P("at", PATH, ""),
        _P("env", STR, ""),
        _P("optional", BOOL, "false"),
        _P("uid", INT, "0"),
        _P("gid", INT, "0"),
        _P("mode", INT, "0o400"),
        _P("rev", STR, '""'),
        capability=True,
    ),
    _signature(
        "ssh",
        "option",
        OPTION,
        "The user's SSH agent.",
        _P("id", STR, '"default"'),
        _P("at", PATH, ""),
        _P("optional", BOOL, "false"),
        capability=True,
    ),
    _signature("tmpfs", "option", OPTION, "A file system in memory.", _P("path", PATH), _P("size", SIZE, "")),
    _signature("env", "option", OPTION, "Environment of the block's runs.", open=STR),
    _signature("user", "option", OPTION, "User of the block's runs.", _P("name", STR)),
    _signature("workdir", "option", OPTION, "Directory of the block's runs.", _P("path", PATH)),
    _signature(
        "network",
        "option",
        OPTION,
        "Network of the block's runs: a private one, none, or the host's.",
        _P("mode", Literals(("sandbox", "none", "host"))),
    ),
    _signature(
        "device",
        "option",
        OPTION,
        "A device by its CDI name.",
        _P("name", STR),
        _P("optional", BOOL, "false"),
        capability=True,
    ),
    _signature("insecure", "option", OPTION, "All privileges.", capability=True),
    _signature("host", "option", OPTION, "A line of the runs' /etc/hosts.", _P("name", STR), _P("ip", STR)),
    _signature(
        "limits",
        "option",
        OPTION,
        "Resource limits of the block's runs. They are in no cache key.",
        _P("memory", SIZE, ""),
        _P("cpus", INT, ""),
        _P("pids", INT, ""),
    ),
    _signature("uncached", "option", OPTION, "The block's runs are always run."),
)

_FUNCTIONS: Final = (
    _signature("len", "function", INT, "Items of a list or a map, characters of a string.", _P("x", ANY)),
    _signature("str", "function", STR, "The text of a scalar.", _P("x", ANY)),
    _signature("int", "function", INT, "The number that a string writes.", _P("s", STR)),
    _signature("sorted", "function", ANY, "A list of strings or numbers in order.", _P("list", ANY)),
    _signature("version", "function", VERSION, "A dotted version, which has an order.", _P("s", STR)),
    _signature("raw", "function", STR, "Text for `run` that is spliced as it is, unquoted.", _P("s", STR)),
    _signature("glob", "function", ListOf(PATH), "Files of this module, by name.", _P("pattern", STR)),
    _signature("read", "function", STR, "The text of a file of this module.", _P("path", PATH)),
    _signature(
        "read_lines", "function", _STRINGS, "The lines of a file, without their ends.", _P("path", PATH)
    ),
    _signature(
        "read_toml",
        "function",
        STR,
        "A value of a TOML file, by its dotted key.",
        _P("path", PATH),
        _P("key", STR),
    ),
    _signature(
        "read_json",
        "function",
        STR,
        "A value of a JSON file, by its dotted key.",
        _P("path", PATH),
        _P("key", STR),
    ),
)

FUNCTIONS: Final = {one.name: one for one in (*_SOURCES, *_FUNCTIONS)}
"""Functions and sources by name."""

OPTIONS: Final = {one.name: one for one in _OPTIONS}
"""Run options and `auth` items by name, for places that take an option: `with`, `auth=[…]`, arguments of type option.

`host` is a source everywhere else; `env`, `user` and `workdir` have no other meaning."""

METHODS: Final = {
    "str": (
        _signature("upper", "function", STR, "In capitals."),
        _signature("lower", "function", STR, "In small letters."),
        _signature("strip", "function", STR, "Without white space at both ends."),
        _signature("split", "function", _STRINGS, "The parts between separators.", _P("sep", STR)),
        _signature("join", "function", STR, "The items with this string between them.", _P("list", _STRINGS)),
        _signature("replace", "function", STR, "With every `a` as `b`.", _P("a", STR), _P("b", STR)),
        _signature("startswith", "function", BOOL, "Whether it starts with a text.", _P("s", STR)),
        _signature("endswith", "function", BOOL, "Whether it ends with a text.", _P("s", STR)),
        _signature("removeprefix", "function", STR, "Without a text at its start.", _P("s", STR)),
        _signature("removesuffix", "function", STR, "Without a text at its end.", _P("s", STR)),
    ),
    "map": (
        _signature("keys", "function", _STRINGS, "The keys in order."),
        _signature("values", "function", ANY, "The values in the order of the keys."),
        _signature(
            "get", "function", ANY, "The value of a key, or the default.", _P("key", STR), _P("default", ANY)
        ),
    ),
}
"""Methods by the kind of their value; the `str` methods apply to all types whose values are strings."""

MEMBERS: Final = {
    "platform": {"os": STR, "arch": STR, "variant": STR},
    "version": {"major": INT, "minor": INT, "patch": INT},
    "vcs": {
        "commit": STR,
        "short": STR,
        "tag": STR,
        "branch": STR,
        "describe": STR,
        "dirty": BOOL,
        "epoch": INT,
    },
}
"""Attributes by the kind of their value."""

VALUES: Final = {
    "scratch": STATE,
    "context": STATE,
    "this": STATE,
    "platform": PLATFORM,
    "build_platform": PLATFORM,
    "vcs": Basic("vcs"),
}
"""Names that are bound everywhere and can't be bound again. `this` and `platform` are bound in bodies only."""

STATEMENTS: Final = {
    "from": (),
    "copy": (
        _P("owner", OWNER, '"0:0"'),
        _P("mode", MODE, ""),
        _P("exclude", _STRINGS, "[]"),
        _P("parents", BOOL, "false"),
        _P("follow", BOOL, "false"),
        _P("optional", BOOL, "false"),
        _P("unpack", BOOL, "false"),
        _P("link", BOOL, "false"),
    ),
    "write": (_P("owner", OWNER, '"0:0"'), _P("mode", MODE, "0o644")),
    "mkdir": (_P("owner", OWNER, '"0:0"'), _P("mode", MODE, "0o755")),
    "remove": (_P("optional", BOOL, "false"),),
    "symlink": (_P("owner", OWNER, '"0:0"'),),
    "output": (_P("clean", BOOL, "false"), _P("always", BOOL, "false")),
    "healthcheck": (
        _P("interval", DURATION, "30s"),
        _P("timeout", DURATION, "30s"),
        _P("start_period", DURATION, "0s"),
        _P("start_interval", DURATION, "5s"),
        _P("retries", INT, "3"),
    ),
}
"""Options of statements, in the order of the reference. Other statements have none."""

HARD_KEYWORDS: Final = frozenset("from to on as in for if elif else and or not with true false".split())
TOP_KEYWORDS: Final = frozenset("use param let check ignore group default def target test".split())
SIMPLE_KEYWORDS: Final = frozenset(
    "workdir user expose volume entrypoint cmd shell stop_signal tag needs".split()
)
BODY_KEYWORDS: Final = SIMPLE_KEYWORDS | frozenset(
    "let check from run exec copy write mkdir remove symlink env label annotation output healthcheck return".split()
)
"""First words of statements, besides the hard keywords `if`, `for` and `with`."""

CONFIG_WORDS: Final = frozenset(
    "env label annotation user expose volume entrypoint cmd shell stop_signal".split()
)
"""Statements that change the image config only and make no op."""
