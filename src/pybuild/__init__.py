"""pybuild: a container and artifact builder. The front door: public API and the command `pybuild`."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__", "main"]


def main() -> None:
    """Run the command line: replay the build if nothing it depends on changed, else do what it says."""
    import sys

    from pybuild.cached import replay

    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_standard_streams()
    try:
        code = replay(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    if code is None:
        from pybuild.cli import run

        run()
    else:
        sys.exit(code)


def _open_standard_streams() -> None:
    """Have those that the process was started without lead nowhere. Else the first files that are opened would get
    their numbers, and what is written to a stream would go into a file."""
    import os
    import sys

    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - stays open
