"""The flags of `pybuild build` as data, for the command line, configuration files and shell completion.

Spellings are those of `docker buildx build`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

TEXT: Final = "text"  # one value, the last one counts
MANY: Final = "many"  # may be repeated
SWITCH: Final = "switch"  # no value, or =true / =false
OPTIONAL: Final = "optional"  # a value or none


class Flag:
    """A flag. `value` is the word in capitals that stands for its value;
    `words` are the words that completion offers, `files` tells whether these are paths, `graph` whether the
    flag can change the graph."""

    __slots__ = ("files", "graph", "help", "kind", "long", "short", "value", "words")

    def __init__(
        self,
        long: str,
        kind: str,
        value: str,
        help: str,
        *,
        short: str = "",
        words: tuple[str, ...] = (),
        files: bool = False,
        graph: bool = False,
    ) -> None:
        self.long = long
        self.kind = kind
        self.value = value
        self.help = help
        self.short = short
        self.words = words
        self.files = files
        self.graph = graph

    @property
    def parameter(self) -> str:
        """The flag's name as a Python identifier."""
        return self.long.replace("-", "_")

    @property
    def spelling(self) -> str:
        return f"--{self.long}"


NETWORKS = ("default", "none", "host")
ENTITLEMENTS = ("network.host", "security.insecure", "device", "python")
CALLS = ("build", "check", "outline", "targets")
PROGRESS = ("auto", "tty", "plain", "quiet", "rawjson")

FLAGS = (
    Flag(
        "file",
        TEXT,
        "PATH",
        "Build file (default: build.pybuild, Dockerfile or build.py in CONTEXT).",
        short="f",
        files=True,
        graph=True,
    ),
    Flag("tag", MANY, "NAME[:TAG]", "Name of the image.", short="t"),
    Flag("target", TEXT, "STAGE", "Stage or target to build (default: the last one).", graph=True),
    Flag(
        "param",
        MANY,
        "NAME=VALUE",
        "Value of a param of a .pybuild file or a Python module.",
        short="p",
        graph=True,
    ),
    Flag(
        "params",
        MANY,
        "FILE",
        "TOML file with values of params.",
        files=True,
        graph=True,
    ),
    Flag("locked", SWITCH, "", "Refuse a reference that pybuild.lock doesn't pin.", graph=True),
    Flag("build-arg", MANY, "NAME[=VALUE]", "Build argument.", graph=True),
    Flag("build-context", MANY, "NAME=VALUE", "Additional context.", graph=True),
    Flag("platform", MANY, "OS/ARCH", "Platform to build for, or several.", graph=True),
    Flag(
        "output",
        MANY,
        "DEST",
        "Where the result goes: a directory, or type=…,dest=….",
        short="o",
    ),
    Flag("push", SWITCH, "", "Push the image to its registry."),
    Flag("load", SWITCH, "", "Load the image into the Docker daemon."),
    Flag("label", MANY, "NAME=VALUE", "Label of the image.", graph=True),
    Flag("annotation", MANY, "[TYPE:]NAME=VALUE", "Annotation of the image."),
    Flag("no-cache", SWITCH, "", "Run every step anew.", graph=True),
    Flag("no-cache-filter", MANY, "STAGE", "Run the steps of this stage anew.", graph=True),
    Flag("pull", SWITCH, "", "Ask the registry for images even if they are known.", graph=True),
    Flag("network", TEXT, "MODE", "Network of RUN: default, none or host.", words=NETWORKS, graph=True),
    Flag(
        "allow",
        MANY,
        "ENTITLEMENT",
        "Allow network.host, security.insecure, device, read=PATH, python.",
        words=ENTITLEMENTS,
    ),
    Flag("add-host", MANY, "HOST:IP", "Line of /etc/hosts for RUN.", graph=True),
    Flag("ulimit", MANY, "TYPE=SOFT[:HARD]", "Resource limit of RUN.", graph=True),
    Flag("shm-size", TEXT, "BYTES", "Size of /dev/shm for RUN.", graph=True),
    Flag("cgroup-parent", TEXT, "NAME", "Cgroup that RUN's is made in.", graph=True),
    Flag(
        "secret",
        MANY,
        "ID=env:NAME|ID=file:PATH",
        "Secret for steps; also in the form id=ID,env=NAME or id=ID,src=PATH.",
        graph=True,
    ),
    Flag("ssh", MANY, "ID[=SOCKET|KEY,…]", "SSH agent or keys for RUN --mount=type=ssh.", graph=True),
    Flag("call", TEXT, "METHOD", "Instead of building: check, outline or targets.", words=CALLS),
    Flag("check", SWITCH, "", "Check the build file; the same as --call=check."),
    Flag("print", TEXT, "METHOD", "The same as --call, by its old name.", words=CALLS),
    Flag("max-parallelism", TEXT, "N", "Steps that run at once (default: four a processor, at least 16)."),
    Flag("progress", TEXT, "KIND", "Display: auto, tty, plain, quiet or rawjson.", words=PROGRESS),
    Flag("quiet", SWITCH, "", "Print the image's digest, nothing else.", short="q"),
    Flag("iidfile", TEXT, "PATH", "Write the image's ID (its config's digest) to a file.", files=True),
    Flag("metadata-file", TEXT, "PATH", "Write the result's metadata (JSON) to a file.", files=True),
    Flag("provenance", TEXT, "false", "Provenance attestation; only false.", words=("false",)),
    Flag("sbom", TEXT, "false", "SBOM attestation; only false.", words=("false",)),
    Flag("attest", MANY, "type=…,disabled=true", "Attestation; only disabled ones."),
)

REFUSED = (
    Flag("cache-from", MANY, "", "importing a cache"),
    Flag("cache-to", MANY, "", "exporting a cache"),
    Flag("builder", TEXT, "", "choosing a builder: there is only this process"),
    Flag("debug", SWITCH, "", "debug logs", short="D"),
    Flag("invoke", TEXT, "", "a shell in a step"),
    Flag("on", TEXT, "", "a shell in a step"),
    Flag("detach", SWITCH, "", "building in the background"),
    Flag("root", TEXT, "", "a build server"),
    Flag("server-config", TEXT, "", "a build server"),
    Flag("policy", MANY, "", "source policies"),
    Flag("no-trunc", SWITCH, "", "output is never cut"),
    Flag("squash", SWITCH, "", "squashing layers"),
    Flag("compress", SWITCH, "", "compressing the context: it isn't sent anywhere"),
    Flag("isolation", TEXT, "", "isolation technologies"),
    Flag("security-opt", MANY, "", "security options"),
    Flag("memory", TEXT, "", "a memory limit", short="m"),
    Flag("memory-swap", TEXT, "", "a memory limit"),
    Flag("cpu-period", TEXT, "", "CPU limits"),
    Flag("cpu-quota", TEXT, "", "CPU limits"),
    Flag("cpu-shares", TEXT, "", "CPU limits", short="c"),
    Flag("cpuset-cpus", TEXT, "", "CPU limits"),
    Flag("cpuset-mems", TEXT, "", "CPU limits"),
    Flag("rm", SWITCH, "", "intermediate containers: there are none"),
    Flag("force-rm", SWITCH, "", "intermediate containers: there are none"),
    Flag("disable-content-trust", SWITCH, "", "content trust"),
)
"""Flags of `docker buildx build` and of later versions; `help` says what each would do."""
