"""The formatter of Dockerfiles: puts keywords, spacing and continuation lines into one form.

    format_text       Source -> str

A build of the formatted file is the same to the byte: the text that a shell gets, heredocs, quoted words and comments
stay as they are.
"""

from __future__ import annotations

from pybuild.lang.dockerfile.fmt.file import ChangedMeaning, format_text

__all__ = ["ChangedMeaning", "format_text"]
