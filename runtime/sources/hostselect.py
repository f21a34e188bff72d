"""Selects the files of a host file system: commands, and everything they need to run.

- An ELF program needs its interpreter (the dynamic loader), the libraries it names, and theirs.
- A script needs the interpreter of its first line and, if that is `env`, the command that `env` runs. Commands in its
  text and modules of its language are not found.
- A program linked against glibc needs the libraries that glibc opens while running: name service modules, the
  resolver and libgcc_s.

    HostError               a command can't be used
    ├── CommandNotFound     `name`
    ├── NotRunnable         `path`: neither ELF nor script, for another machine, damaged, unreadable
    └── LibraryMissing      `path`, `library`
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Diagnostic, suggest
from pybuild.runtime.sources.elf import BadElf, Elf, read_elf
from pybuild.runtime.sources.errors import SourceFailed
from pybuild.runtime.sources.hosttree import HostTree
from pybuild.runtime.sources.libraries import Loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""The PATH of the image. On the machine, the user's PATH is searched before it."""

OPENED = ("libnss_files.so.2", "libnss_dns.so.2", "libnss_compat.so.2", "libresolv.so.2", "libgcc_s.so.1")
"""Libraries that glibc opens with dlopen. Newer versions have some built in."""

MERGED = ("/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/libo32")
"""Directories that are symlinks in the tree if they are on the machine, as scripts use paths of both kinds."""

LONGEST_LINE = 255
"""Bytes of a script's first line that the kernel reads."""

_MACHINES = {
    "x86_64": (62, 3),
    "i686": (3,),
    "aarch64": (183, 40),
    "armv7l": (40,),
    "armv6l": (40,),
    "riscv64": (243,),
    "ppc64le": (21,),
    "s390x": (22,),
    "loongarch64": (258,),
}
"""ELF machine numbers that a kernel of each architecture runs."""


class HostError(SourceFailed):
    """A command can't be used."""


class CommandNotFound(HostError):
    """The machine has no such command."""

    def __init__(self, name: str, near: str | None) -> None:
        hint = f"did you mean {near}? Else install" if near else "install"
        super().__init__(
            f"this machine has no command {name!r}",
            help=f"{hint} the package that has it, or give its absolute path",
        )
        self.name = name


class NotRunnable(HostError):
    """A file can't be run, or not be read."""

    def __init__(self, path: str, problem: str, help: str) -> None:
        super().__init__(f"{path} can't be part of a host file system: {problem}", help=help)
        self.path = path


class LibraryMissing(HostError):
    """The machine lacks a library that a selected file needs."""

    def __init__(self, path: str, library: str) -> None:
        diagnostic = Diagnostic(f"{path} needs {library}, which this machine doesn't have")
        super().__init__(diagnostic, help=f"install it; {path} can't run here either")
        self.path = path
        self.library = library


class Selection:
    """Collects commands and their files in `tree`. `places` are the directories searched for commands."""

    def __init__(self, places: Iterable[str] | None = None) -> None:
        self.tree = HostTree()
        self._places = list(dict.fromkeys(places if places is not None else _path()))
        self._loaders: dict[str, Loader] = {}
        self._done: set[str] = set()
        for link in MERGED:
            if os.path.islink(link) and self.tree.find(link) is not None:
                self.tree.add(link)
            self.tree.consulted.add(link)

    def command(self, name: str) -> str:
        """Add a command by its name or an absolute path, and return its path. Raises HostError."""
        path = self._find(name)
        self.program(path)
        if self.tree.find(os.path.dirname(path)) not in map(self.tree.find, SEARCHED):
            self.tree.link(f"/usr/local/bin/{os.path.basename(path)}", path)
        return path

    def program(self, path: str) -> None:
        """Add a program and everything it needs. Raises HostError."""
        try:
            real = self.tree.add(path)
        except OSError as error:
            raise NotRunnable(path, error.strerror or str(error), "check the path") from None
        if real in self._done:
            return
        self._done.add(real)
        try:
            with open(real, "rb") as file:
                elf = read_elf(file)
                if elf is None:
                    file.seek(0)
                    line = file.read(LONGEST_LINE + 1).partition(b"\n")[0][:LONGEST_LINE]
        except BadElf as error:
            raise NotRunnable(path, f"{error}", "the file is damaged: install it again") from None
        except OSError as error:
            problem = f"it can't be read ({error.strerror})"
            raise NotRunnable(path, problem, "build as a user who can read it") from None
        if elf is not None:
            self._binary(path, elf)
        elif line.startswith(b"#!"):
            self._script(path, os.fsdecode(line[2:]))
        else:
            raise NotRunnable(
                path, "it is neither a program nor a script", "name a program or a script that begins with #!"
            )

    # Commands

    def _find(self, name: str) -> str:
        if "/" in name:
            if not name.startswith("/"):
                raise HostError(
                    f"the command {name!r} is a relative path", help="give a name or an absolute path"
                )
            return self._checked(name)
        for place in self._places:
            path = f"{place}/{name}"
            real = self.tree.find(path)
            if real is not None and os.path.isfile(real) and os.access(real, os.X_OK):
                return path
        raise CommandNotFound(name, suggest(name, self._commands()))

    def _checked(self, path: str) -> str:
        real = self.tree.find(path)
        if real is None:
            raise HostError(f"this machine has no {path}", help="check the path, or give the command's name")
        if not os.path.isfile(real):
            raise NotRunnable(path, "it is no regular file", "name a program or a script")
        if not os.access(real, os.X_OK):
            raise NotRunnable(path, "it is not executable", "name a program or a script that you may run")
        return path

    def _commands(self) -> Iterator[str]:
        for place in self._places:
            try:
                yield from os.listdir(place)
            except OSError:
                continue

    # Needs of a program

    def _script(self, path: str, line: str) -> None:
        interpreter, _, rest = line.strip().partition(" ")
        if not interpreter.startswith("/"):
            raise NotRunnable(
                path, f"its interpreter is {interpreter!r}", "its first line must name one by absolute path"
            )
        self.program(interpreter)
        if os.path.basename(interpreter) == "env":
            command = _env_command(rest.split())
            if command is not None:
                self.command(command)

    def _binary(self, path: str, elf: Elf) -> None:
        runs = _MACHINES.get(os.uname().machine)
        if runs is not None and elf.machine not in runs:
            raise NotRunnable(
                path,
                f"it is for another architecture (ELF machine {elf.machine})",
                f"name a program for {os.uname().machine}",
            )
        if not elf.interpreter:
            return
        loader = self._loader(path, elf)
        self._libraries(loader, [(path, elf)], {os.path.basename(elf.interpreter)})

    def _loader(self, path: str, elf: Elf) -> Loader:
        if elf.interpreter not in self._loaders:
            try:
                self.tree.add(elf.interpreter)
                loader = Loader(self.tree, elf.interpreter)
            except OSError:
                raise LibraryMissing(path, elf.interpreter) from None
            self._loaders[elf.interpreter] = loader
            if loader.musl:
                self._optional(f"/etc/{os.path.basename(elf.interpreter).removesuffix('.so.1')}.path")
            else:
                self._opened(loader, elf)
        return self._loaders[elf.interpreter]

    def _opened(self, loader: Loader, program: Elf) -> None:
        """Add the libraries that glibc opens itself. Missing ones are built in, or unknown to its version."""
        opener = Elf(program.machine, program.bits, program.order, needed=OPENED)
        self._libraries(loader, [(loader.path, opener)], set(), required=False)

    def _libraries(
        self, loader: Loader, chain: list[tuple[str, Elf]], loaded: set[str], *, required: bool = True
    ) -> None:
        """Add the libraries that the last object of `chain` needs, and theirs, breadth first as the loader does.
        `loaded` are the names that are loaded already."""
        waiting = [chain]
        while waiting:
            chain = waiting.pop(0)
            for name in chain[-1][1].needed:
                if name in loaded:
                    continue
                library = loader.find(name, chain[0][1].kind, chain)
                if library is None:
                    if required or len(chain) > 1:
                        raise LibraryMissing(chain[-1][0], name)
                    continue
                loaded.add(name)
                self._add_library(library.path)
                if not library.searched and loader.places:
                    self._link_library(loader, name, library.path)
                waiting.append([*chain, (library.path, library.elf)])

    def _link_library(self, loader: Loader, name: str, path: str) -> None:
        """Link a library to a directory that the loader searches: the image has no loader cache, which alone led to
        it."""
        for place in loader.places:
            if self.tree.find(place) is not None:
                self.tree.link(f"{place}/{name}", path)
                return

    def _add_library(self, path: str) -> None:
        try:
            self.tree.add(path)
        except OSError as error:
            raise NotRunnable(path, error.strerror or str(error), "install it again") from None

    def _optional(self, path: str) -> None:
        if self.tree.find(path) is not None:
            self.tree.add(path)


def _env_command(words: list[str]) -> str | None:
    """Return the command in `env`'s arguments, which follows options and assignments; None without one."""
    for word in words:
        word = word.removeprefix("-S")
        if word and not word.startswith("-") and "=" not in word:
            return word
    return None


def _path() -> Iterator[str]:
    for place in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if place.startswith("/"):
            yield place.rstrip("/") or "/"
    yield from SEARCHED
