"""Find the OCI runtime and other programs, or the command that installs them."""

from __future__ import annotations

import os

from pybuild.runtime.sandbox.errors import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIMES = ("crun", "runc")
_MORE_PLACES = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/bin")

_INSTALLERS = {
    "debian": "apt-get install -y {}",
    "ubuntu": "apt-get install -y {}",
    "fedora": "dnf install -y {}",
    "rhel": "dnf install -y {}",
    "centos": "dnf install -y {}",
    "alpine": "apk add {}",
    "arch": "pacman -S --noconfirm {}",
    "suse": "zypper install -y {}",
    "opensuse": "zypper install -y {}",
}

_OTHER_NAMES = {
    "uidmap": {"dnf": "shadow-utils", "apk": "shadow-subids", "pacman": "shadow", "zypper": "shadow"},
    "openssh-client": {"dnf": "openssh-clients", "pacman": "openssh", "zypper": "openssh-clients"},
}
"""Names of packages, by package manager, that differ from Debian's."""


def find_runtime() -> str:
    """The path of the OCI runtime: `PYBUILD_RUNTIME` if set, else crun, else runc. Raises SandboxError with the
    command that installs one."""
    chosen = os.environ.get("PYBUILD_RUNTIME")
    for name in (chosen,) if chosen else RUNTIMES:
        path = find_program(name)
        if path is not None:
            return path
    if chosen:
        raise SandboxError(
            f"PYBUILD_RUNTIME names {chosen}, which is no program here",
            help="give the path of crun or runc, or unset it",
        )
    raise SandboxError(
        "no OCI runtime found: running steps needs crun (or runc)",
        help=f"install it: {install_command('crun')}",
    )


def find_program(name: str) -> str | None:
    """The path of an executable: `name` itself if it has a slash, else the first on PATH or in the system
    directories that an ordinary user's PATH lacks. None if there is none."""
    if "/" in name:
        return os.path.abspath(name) if os.access(name, os.X_OK) else None
    for directory in (*os.environ.get("PATH", os.defpath).split(os.pathsep), *_MORE_PLACES):
        path = os.path.join(directory or ".", name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.abspath(path)
    return None


def install_command(package: str, release: str = "/etc/os-release") -> str:
    """The shell command that installs a package, given by Debian's name for it, on the distribution that the
    os-release file names."""
    about = _release(release)
    for family in (about.get("ID", ""), *about.get("ID_LIKE", "").split()):
        command = _INSTALLERS.get(family.partition("-")[0])
        if command is not None:
            named = _OTHER_NAMES.get(package, {}).get(command.partition(" ")[0], package)
            return ("" if os.getuid() == 0 else "sudo ") + command.format(named)
    return f"with the system's package manager, package {package}"


def _release(path: str) -> Mapping[str, str]:
    fields = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.strip().partition("=")
                fields[name] = value.strip("\"'")
    except OSError:
        pass
    return fields
