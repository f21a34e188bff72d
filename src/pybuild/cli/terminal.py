"""Write a command's results to standard output."""

from __future__ import annotations

import sys


def show(text: str) -> None:
    """Write the text in UTF-8, whatever the locale, and flush."""
    # Text printed before is in a buffer above the one that is written to here.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
