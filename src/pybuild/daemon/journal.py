"""The daemon's log on standard error: a line for each message, as text or JSON."""

from __future__ import annotations

import json
import sys
import time

from pybuild.lang.diagnostics import visible


class Journal:
    """Never raises: nobody may read it."""

    def __init__(self, *, as_json: bool = False, debug: bool = False) -> None:
        self._json = as_json
        self._debug = debug

    def info(self, text: str) -> None:
        self._write("info", text)

    def warning(self, text: str) -> None:
        self._write("warning", text)

    def error(self, text: str) -> None:
        self._write("error", text)

    def debug(self, text: str) -> None:
        if self._debug:
            self._write("debug", text)

    def _write(self, level: str, text: str) -> None:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = (
            json.dumps({"level": level, "msg": text, "time": when})
            if self._json
            else f"{when} {level}: {visible(text)}"
        )
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
