"""pybuild: a container and artifact builder. The front door: public API and the command `pybuild`."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__", "main"]


def main() -> None:
    """Run the command line."""
    from pybuild.cli import run

    run()
