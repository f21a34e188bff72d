"""The command `pybuild doctor`: what this machine allows, what builds use of it, and what would lift them further.

Everything is found out by trying, by the parts that a build consists of: an engine is opened, and its first step
prepared.
"""

from __future__ import annotations

import json
import os
import shutil
import sys

from attrs import asdict, frozen

from pybuild.compiler.ops import NetMode
from pybuild.lang.diagnostics import UserError, visible
from pybuild.lang.source import Source
from pybuild.request.config import tomlfile
from pybuild.request.config.user_file import user_paths, user_settings
from pybuild.runtime.content.place import default_root
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.sandbox import namespaces, subids
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.environments import CAP_SYS_ADMIN, Signs, capabilities, here, profile_of, status
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.find import find_program, find_runtime, install_command
from pybuild.runtime.sandbox.network import TOOLS, TUN, helper
from pybuild.runtime.snapshots.choose import trials
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = "pybuild.doctor/1"
_EMULATORS = "/proc/sys/fs/binfmt_misc"


@frozen
class Fact:
    """One thing that a machine may have: what there is of it, and, where it is `missing`, what gives it."""

    name: str
    value: str
    missing: bool = False
    help: str = ""


@frozen
class Report:
    """The facts of a machine; what builds use; why steps can't run, "" if they can."""

    facts: tuple[Fact, ...]
    uses: tuple[Fact, ...]
    refusal: str = ""
    help: str = ""

    @property
    def steps(self) -> bool:
        return not self.refusal


class _Notices(Observer):
    """Keeps what a build would tell its user."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, text: str) -> None:
        self.texts.append(text)


def run_doctor(format: str) -> int:
    """Print the report on this machine as `text` or `json`. Returns 0 if steps run here, 1 if builds without them do.
    Raises UserError where nothing can be built."""
    report = examine(default_root())
    sys.stdout.write(_json(report) if format == "json" else _text(report))
    return 0 if report.steps else 1


def examine(root: str) -> Report:
    """Examine this machine for builds with the store at `root`. This process enters their namespaces."""
    facts = list(_outside())  # before the namespaces, where capabilities and ids are others
    observer = _Notices()
    engine = Engine(EngineOptions(root, isolate=_isolated()), observer, Cancellation())
    try:
        facts += _inside(engine)
        uses, error = _uses(engine, observer)
    finally:
        engine.close()
    if error is None:
        return Report(tuple(facts), uses)
    return Report(tuple(facts), uses, error.diagnostic.title, _help(error))


def _isolated() -> bool:
    """Report whether a configuration file of the user or the machine wants private networks."""
    texts = ((path, tomlfile.read_text(path)) for path in user_paths())
    return any(
        user_settings(Source(path, text)).get("isolate_network") for path, text in texts if text is not None
    )


def _outside() -> Iterator[Fact]:
    signs = Signs()
    yield Fact("environment", here(signs).title)
    root = os.geteuid() == 0
    admin = capabilities(signs, "CapEff") & CAP_SYS_ADMIN
    yield Fact("user", f"{'root' if root else os.geteuid()}, {'with' if admin else 'without'} CAP_SYS_ADMIN")
    yield _fact("namespaces", namespaces.refused, "mount namespaces" if root else "user namespaces")
    if root:
        yield Fact("sub-ids", "not needed by root")
    else:
        yield _fact(
            "sub-ids", lambda: subids.maps(os.getuid(), os.getgid()), "granted, with newuidmap and newgidmap"
        )
    seccomp = {"0": "no filter", "1": "strict", "2": "a filter"}.get(status(signs, "Seccomp"), "unknown")
    yield Fact("seccomp", seccomp)
    yield Fact("AppArmor, SELinux", profile_of(signs) or "unconfined")
    yield _device("/dev/fuse", "as root: modprobe fuse")
    yield _device(TUN, here(signs).tun)
    yield _fact("OCI runtime", find_runtime)
    tools = [path for path in map(find_program, TOOLS) if path is not None]
    yield Fact(
        "network tool", ", ".join(tools) or "none", not tools, "" if tools else install_command("passt")
    )
    emulators = _emulators()
    yield Fact(
        "emulators",
        emulators or "none",
        not emulators,
        "" if emulators else install_command("qemu-user-static"),
    )


def _inside(engine: Engine) -> Iterator[Fact]:
    """Yield the facts that show inside of the build's namespaces."""
    entered = engine.steps.runner is not None
    for kind, failure in trials(engine.store).items() if entered else ():
        yield Fact(
            kind, "works" if failure is None else failure, failure is not None, _snapshots_help(kind, failure)
        )
    groups = Cgroups.detect(rootless=namespaces.rootless() or os.geteuid() != 0)
    version = "version 2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "version 1"
    yield Fact(
        "control groups",
        f"{version}, delegated" if groups.delegated else version if groups.usable else groups.reason,
        not groups.usable,
        ""
        if groups.usable
        else "limits of steps can't be enforced: build as root, or by systemd-run --user --scope",
    )
    usage = shutil.disk_usage(engine.options.root)
    yield Fact("store", f"{engine.options.root}, {usage.free / 1e9:.1f} GB free")


def _uses(engine: Engine, observer: _Notices) -> tuple[tuple[Fact, ...], UserError | None]:
    """Return what builds use, and the reason why steps can't run."""
    snapshotter = Fact("snapshotter", engine.snapshotter.name)
    try:
        engine.steps.sandbox()
        networks = engine.steps.networks()
        network = networks.take(NetMode.UNSET)
        private = network.path is not None
        networks.give_back(network, reusable=False)
        networks.close()
    except SandboxError as error:
        return (snapshotter,), getattr(error, "reason", error)
    notices = [Fact("notice", text) for text in observer.texts]
    kind = f"private, by {os.path.basename(helper() or '')}" if private else "the machine's"
    return (snapshotter, Fact("runtime", find_runtime()), Fact("network", kind), *notices), None


def _fact(name: str, attempt: Callable[[], object], value: str = "") -> Fact:
    """Return the fact that an attempt finds: the error that it raises or returns, else `value` or its result."""
    try:
        result = attempt()
    except SandboxError as error:
        result = error
    if isinstance(result, SandboxError):
        return Fact(name, result.diagnostic.title, True, _help(result))
    return Fact(name, value or str(result))


def _device(path: str, help: str) -> Fact:
    if not os.path.exists(path):
        return Fact(path, "missing", True, help)
    if not os.access(path, os.R_OK | os.W_OK):
        return Fact(path, "can't be opened", True, f"as root: chmod 666 {path}")
    return Fact(path, "works")


def _snapshots_help(kind: str, failure: str | None) -> str:
    if failure is None:
        return ""
    return (
        install_command(kind)
        if kind == "fuse-overlayfs"
        else "set PYBUILD_ROOT to a directory on ext4, xfs or btrfs"
    )


def _emulators() -> str:
    try:
        names = [name.removeprefix("qemu-") for name in os.listdir(_EMULATORS) if name.startswith("qemu-")]
    except OSError:
        return ""
    return ", ".join(sorted(names))


def _help(error: UserError) -> str:
    return next((text for kind, text in error.diagnostic.notes if kind == "help"), "")


def _json(report: Report) -> str:
    return json.dumps({"schema": SCHEMA, "steps": report.steps, **asdict(report)}, indent=2) + "\n"


def _text(report: Report) -> str:
    lines = ["This machine"]
    lines += [line for fact in report.facts for line in _lines(fact)]
    lines += ["", "Builds use"]
    lines += [line for fact in report.uses for line in _lines(fact)]
    if report.steps:
        lines += ["", "Builds with RUN work."]
    else:
        lines += ["", f"Builds without RUN work; steps can't run: {report.refusal}"]
        lines += [f"  -> {text}" for text in report.help.splitlines()]
    return "".join(visible(line) + "\n" for line in lines)


def _lines(fact: Fact) -> Iterator[str]:
    yield f"  {'-' if fact.missing else ' '} {fact.name:<18} {fact.value}"
    for text in fact.help.splitlines():
        yield f"    {'':<18} -> {text}"
