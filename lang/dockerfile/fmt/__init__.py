"""The formatter of Dockerfiles: a file with its keywords, spacing and continuation lines in one form.

    format_text       Source -> str

What a build makes of the file stays the same to the byte: the text that a shell gets, heredocs, quoted words
and comments are left as they are.
"""

from __future__ import annotations

from pybuild.lang.dockerfile.fmt.file import ChangedMeaning, format_text

__all__ = ["ChangedMeaning", "format_text"]
