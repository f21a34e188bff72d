"""pybuild: a container and artifact builder. The public API, and `main`, which tries a replay before it imports the
command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    __version__: str
    from pybuild.builder import Builder as Builder
    from pybuild.lang.python.api import *  # noqa: F403 - the public names, for type checkers and editors

__all__ = ["__version__", "main"]


_API = frozenset(
    (
        "GB KB MB TB Duration GiB Group KiB MiB Module Option Path Platform Ref Size State StateBuilder "
        "Target TiB Version bind build_platform cache check context default device diff dockerfile "
        "duration env frontend git glob group host http ignore image insecure limits local "
        "merge network oci param plain platform raw read read_json read_lines read_toml scratch secret "
        "size ssh state step target test text tmpfs uncached use user vcs version workdir"
    ).split()
)
"""Names of `lang.python.api`, which is imported when one of them is first used: cached builds never do."""


def __getattr__(name: str) -> object:
    if name == "__version__":
        from pybuild.release import VERSION

        return VERSION
    if name == "Builder":
        from pybuild.builder import Builder

        return Builder
    if name not in _API:
        import sys

        module = sys.modules[__name__]
        raise AttributeError(f"module 'pybuild' has no attribute {name!r}", name=name, obj=module)
    from pybuild.builder.recordings import recording_of
    from pybuild.lang.python import api
    from pybuild.lang.python.recording import provide_homes

    provide_homes(recording_of)
    value: object = getattr(api, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_API, "Builder"})


def main() -> None:
    """Run the command line: replay the build if nothing it depends on changed, else do what it says."""
    _end_by_signals()
    import sys

    from pybuild.replay.replay import replay

    if sys.getfilesystemencoding() != "utf-8":
        _restart_with_utf8()
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_standard_streams()
    if sys.argv[0].rpartition("/")[2] == "buildkitd":
        sys.argv.insert(1, "serve")  # a link of that name is the daemon
    code = replay(sys.argv[1:])
    if code is not None and not isinstance(code, int):
        from pybuild.cli.rebuild import rebuild

        code = rebuild(code)
    if code is not None:
        sys.exit(code)
    from pybuild.build.process import run

    if sys.argv[1:2] in (["serve"], ["buildkitd"]):
        # The rest of the command line would take a good part of the time in which the daemon has to be there.
        from pybuild.daemon.serving import serve

        run(serve, sys.argv[2:])
    from pybuild.cli.commands import main as command

    run(command, sys.argv[1:])


def _end_by_signals() -> None:
    """End the process at once on Ctrl-C and SIGTERM, until a command has its own way. Python's, an exception, would
    print a traceback out of an import. The bare modules, because `signal` imports half of the standard library."""
    from _signal import SIG_IGN, SIGINT, SIGTERM, getsignal, signal  # type: ignore[import-not-found]
    from posix import _exit

    for number in (SIGINT, SIGTERM):
        if getsignal(number) != SIG_IGN:
            signal(number, lambda number, _: _exit(128 + number))


def _restart_with_utf8() -> None:
    """Start anew with file names read as UTF-8, whatever the locale: they are part of graphs and of messages."""
    import os
    import sys

    if os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _open_standard_streams() -> None:
    """Open missing standard streams on /dev/null. Else the first files that are opened would get their numbers, and
    output to a stream would go into a file."""
    import os
    import sys

    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - stays open
