"""Recognise the kind of place that a build runs in, and say there what its steps lack and what gives it to them."""

from __future__ import annotations

import errno
import os

from pybuild.runtime.sandbox.errors import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CAP_SETUID = 1 << 7
CAP_SYS_ADMIN = 1 << 21

_SETTINGS = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "65536"),
    ("user.max_mnt_namespaces", "0", "65536"),
)
"""Settings of the kernel that forbid namespaces: name, the value that forbids, one that allows."""


class Signs:
    """The facts that tell places apart: environment variables, and files below `root`."""

    def __init__(self, root: str = "", variables: Mapping[str, str] | None = None) -> None:
        self._root = root
        self.variables = os.environ if variables is None else variables

    def text(self, path: str) -> str:
        """Return the content of a file, "" if it can't be read."""
        try:
            with open(self._root + path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def any(self, *paths: str) -> bool:
        """Report whether one of the files is there."""
        return any(os.path.lexists(self._root + path) for path in paths)

    @property
    def manager(self) -> str:
        """The container's manager by the variable `container`, which process 1 has of it, and which systemd notes."""
        first = dict(word.partition("=")[::2] for word in self.text("/proc/1/environ").split("\0"))
        return (
            self.variables.get("container")
            or first.get("container")
            or self.text("/run/systemd/container").strip()
        )

    @property
    def kernel(self) -> str:
        """The kernel's release."""
        return self.text("/proc/sys/kernel/osrelease")

    @property
    def pod(self) -> bool:
        """Report whether this is a container of Kubernetes."""
        return "KUBERNETES_SERVICE_HOST" in self.variables or self.any("/var/run/secrets/kubernetes.io")

    @property
    def reduced(self) -> bool:
        """Report whether this process can't have CAP_SYS_ADMIN, or is root and lacks it."""
        root = status(self, "Uid").split()[:1] == ["0"]
        return not capabilities(self, "CapEff" if root else "CapBnd") & CAP_SYS_ADMIN

    @property
    def contained(self) -> bool:
        """Report whether this is a container of a known engine."""
        return (
            self.pod or self.any("/.dockerenv", "/run/.containerenv") or self.manager in ("docker", "podman")
        )


class Environment:
    """A kind of place. `title` names it after "this"; `root` and `user` say how it is started so that root's and an
    ordinary user's steps get their namespaces, `gain` so that newuidmap may gain privilege, `tun` so that
    /dev/net/tun is there. `shared` tells that the kernel's settings are those of a machine outside."""

    __slots__ = ("gain", "name", "recognised", "root", "shared", "title", "tun", "user")

    def __init__(
        self,
        name: str,
        title: str,
        recognised: Callable[[Signs], bool],
        *,
        root: str,
        user: str = "",
        gain: str = "",
        tun: str = "",
        shared: bool = True,
    ) -> None:
        self.name = name
        self.title = title
        self.recognised = recognised
        self.root = root
        self.user = user or root
        self.gain = gain or self.user
        self.tun = tun or root
        self.shared = shared


_UNCONFINED = " ".join(f"--security-opt {name}=unconfined" for name in ("seccomp", "apparmor", "systempaths"))
_POD = "seccompProfile.type, appArmorProfile.type: Unconfined, procMount: Unmasked"

ENVIRONMENTS = (
    Environment(
        "gitlab",
        "GitLab job's container",
        lambda signs: "GITLAB_CI" in signs.variables and signs.contained,
        root="in the runner's config.toml: privileged = true under [runners.docker] or [runners.kubernetes]",
    ),
    Environment(
        "github-container",
        "GitHub Actions job's container",
        lambda signs: "GITHUB_ACTIONS" in signs.variables and signs.contained,
        root="in the workflow, under the job's container: options: --privileged; or run the job without a container",
    ),
    Environment(
        "github",
        "GitHub Actions runner",
        lambda signs: "GITHUB_ACTIONS" in signs.variables,
        root="in the workflow, build by: sudo pybuild",
        tun="in a step of the workflow before: sudo modprobe tun",
        shared=False,
    ),
    Environment(
        "kubernetes",
        "Kubernetes pod",
        lambda signs: signs.pod,
        root="in the container's securityContext: privileged: true (with hostUsers: false in the pod's spec it is "
        "root of a user namespace only)",
        user=f"in the container's securityContext: {_POD} (with hostUsers: false in the pod's spec)",
        gain="in the container's securityContext: allowPrivilegeEscalation: true, capabilities SETUID and SETGID",
        tun="mount the node's /dev/net/tun by a hostPath volume, or in the securityContext: privileged: true",
    ),
    Environment(
        "podman",
        "Podman container",
        lambda signs: signs.any("/run/.containerenv") or signs.manager == "podman",
        root="start it by: podman run --privileged",
        user="start it by: podman run --security-opt seccomp=unconfined --security-opt unmask=ALL "
        "--security-opt label=disable",
        gain="start it without --security-opt no-new-privileges, and with --cap-add SETUID --cap-add SETGID",
        tun="start it by: podman run --device /dev/net/tun",
    ),
    Environment(
        "docker",
        "Docker container",
        lambda signs: signs.any("/.dockerenv") or signs.manager == "docker",
        root="start it by: docker run --privileged",
        user=f"start it by: docker run {_UNCONFINED}",
        gain="start it without --security-opt no-new-privileges, and with --cap-add SETUID --cap-add SETGID",
        tun="start it by: docker run --device /dev/net/tun",
    ),
    Environment(
        "lxc",
        "LXC container",
        lambda signs: signs.manager == "lxc" or signs.any("/dev/lxd", "/dev/incus", "/dev/.lxc"),
        root="on its host: incus config set NAME security.nesting=true (lxc config set with LXD, "
        "pct set ID --features nesting=1 with Proxmox), and restart it",
    ),
    Environment(
        "wsl1",
        "WSL 1 distribution",
        lambda signs: "Microsoft" in signs.kernel,
        root="in Windows: wsl --set-version DISTRIBUTION 2",
        shared=False,
    ),
    Environment(
        "wsl",
        "WSL distribution",
        lambda signs: "microsoft" in signs.kernel,
        root="in Windows: wsl --update, then wsl --shutdown",
        tun="as root: modprobe tun",
        shared=False,
    ),
    Environment(
        "container",
        "container",
        lambda signs: bool(signs.manager) or signs.reduced,
        root="start it with CAP_SYS_ADMIN, or so that user namespaces can be made in it",
        gain="start it without no_new_privs, and with CAP_SETUID and CAP_SETGID",
        tun="start it with the device /dev/net/tun",
    ),
    Environment(
        "host",
        "machine",
        lambda signs: True,
        root="build as root with all capabilities",
        tun="as root: modprobe tun",
        shared=False,
    ),
)
"""The kinds of places; the first that is recognised counts."""


def here(signs: Signs | None = None) -> Environment:
    """Return the kind of this place."""
    signs = signs or Signs()
    return next(each for each in ENVIRONMENTS if each.recognised(signs))


def status(signs: Signs, name: str) -> str:
    """Return a field of this process's /proc/self/status, "" if it has none."""
    fields = (line.partition(":") for line in signs.text("/proc/self/status").splitlines())
    return next((value.strip() for key, _, value in fields if key == name), "")


def capabilities(signs: Signs, name: str) -> int:
    """Return a set of capabilities of this process; all where none is told."""
    return int(status(signs, name) or "ffffffffffffffff", 16)


def refused(error: OSError, *, root: bool, signs: Signs | None = None) -> SandboxError:
    """Return the error for namespaces that the kernel refuses to this process, which is uid 0 or not (`root`): what
    is missing here, and the shortest way to it."""
    signs = signs or Signs()
    place = here(signs)
    what = "the namespaces that steps run in"
    for name, forbids, allows in _SETTINGS:
        value = signs.text("/proc/sys/" + name.replace(".", "/")).strip()
        # Root makes a mount namespace only.
        if value == forbids and not (root and "user" in name):
            where = "on the machine that it runs on, as root" if place.shared else "as root"
            return SandboxError(
                f"this {place.title} forbids {what} ({name} = {value})",
                help=f"{where}: sysctl -w {name}={allows}",
            )
    reason = error.strerror or str(error)
    if error.errno not in (errno.EPERM, errno.EACCES):
        return SandboxError(f"{what} can't be made: {reason}", help="see what is missing: pybuild doctor")
    if root and not capabilities(signs, "CapEff") & CAP_SYS_ADMIN:
        return SandboxError(f"this {place.title} lacks CAP_SYS_ADMIN, which {what} need", help=place.root)
    confined = confinement(signs)
    by = f"'s {' and '.join(confined)}" if confined else ""
    verb = "refuse" if len(confined) > 1 else "refuses"
    return SandboxError(
        f"this {place.title}{by} {verb} {what}: {reason}", help=place.root if root else place.user
    )


def confinement(signs: Signs) -> list[str]:
    """Return what confines this process beyond its capabilities, as nouns."""
    profile = profile_of(signs)
    seccomp = ["seccomp filter"] if status(signs, "Seccomp") == "2" else []
    return [*seccomp, f"AppArmor profile {profile}"] if profile.endswith(")") else seccomp


def profile_of(signs: Signs) -> str:
    """Return this process's AppArmor profile or SELinux context, "" if it is unconfined."""
    profile = signs.text("/proc/self/attr/current").strip("\0\n ")
    return "" if profile in ("", "unconfined", "kernel") else profile


def gains_nothing(signs: Signs | None = None) -> SandboxError | None:
    """Return the error for a process whose newuidmap gets no privilege, None if nothing forbids that."""
    signs = signs or Signs()
    if status(signs, "NoNewPrivs") == "1":
        why = "no_new_privs is set"
    elif not capabilities(signs, "CapBnd") & CAP_SETUID:
        why = "CAP_SETUID is out of bounds"
    else:
        return None
    place = here(signs)
    return SandboxError(
        f"newuidmap and newgidmap gain no privilege in this {place.title} ({why}), "
        "which an ordinary user's steps need",
        help=place.gain,
    )
