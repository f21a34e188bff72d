"""Write a command's results to standard output, and what it says about them to standard error.

Results may hold text from elsewhere: of files, images, servers. What a terminal would obey never reaches one.
"""

from __future__ import annotations

import sys

from pybuild.lang.diagnostics import visible
from pybuild.runtime.progress.observer import Observer


class Notices(Observer):
    """The observer of a command without a display: only notices are shown."""

    def notice(self, text: str) -> None:
        note(f"note: {text}")


def show(text: str) -> None:
    """Write a file's text or a document to standard output in UTF-8, whatever the locale, and flush. It arrives
    unchanged, except on a terminal."""
    from pybuild.runtime.progress.terminal import harmless, obeys

    if obeys(sys.stdout):
        text = harmless(text)
    # Text printed before is in a buffer above the one that is written to here.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def tell(text: str) -> None:
    """Write text for people to standard output, with signs for what a terminal obeys."""
    print(visible(text), end="", flush=True)


def note(line: str) -> None:
    """Write a line to standard error, with signs for what a terminal obeys."""
    remark(" ".join(visible(line).split("\n")) + "\n")


def remark(text: str) -> None:
    """Write text to standard error as it is. That nobody reads it any more does not fail the command."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
