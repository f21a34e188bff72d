"""Write a command's results to standard output, and its notices to standard error."""

from __future__ import annotations

import sys

from pybuild.lang.diagnostics import visible
from pybuild.runtime.progress.observer import Observer


class Notices(Observer):
    """The observer of a command without a display: only notices are shown."""

    def notice(self, text: str) -> None:
        print(f"note: {visible(text)}", file=sys.stderr)


def show(text: str) -> None:
    """Write the text in UTF-8, whatever the locale, and flush."""
    # Text printed before is in a buffer above the one that is written to here.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
