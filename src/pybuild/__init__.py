"""pybuild: a container and artifact builder. The front door: public API and the command `pybuild`."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__", "main"]


def main() -> None:
    """Run the command line: replay the build if nothing it depends on changed, else do what it says."""
    import sys

    from pybuild.cached import replay

    try:
        code = replay(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    if code is None:
        from pybuild.cli import run

        run()
    else:
        sys.exit(code)
