"""The list of all codes, `docs/language/diagnostics.md`, made of their pages."""

from __future__ import annotations

import re
from textwrap import fill

from tests.lang.textual.codes.pages import page

from pybuild.lang.textual.codes import CODES

HEAD = """\
# Diagnostics

Every message about a build file has a code: `E` for an error, `W` for a warning, `R` for a failure of a build that
runs. A code keeps its meaning in all versions. `pybuild explain E0503` prints a page about one: what it means, why it
is so, an example that is wrong and one that is right.

```console
$ pybuild check
{shown}```

The first line states the fact. Below it stand the place, the line with `^` under the cause and `-` under what it has
to do with, and what can be done. A mistake is reported once; what follows from it is not.

- `pybuild check` reports all of them for all targets, without building. The exit code is 1 for warnings, 2 for
  errors.
- `pybuild check --fix` makes the changes that a message proposes where there is only one.
- `pybuild check --format=json` prints them as diagnostics of the Language Server Protocol: for each file its `uri`
  and `diagnostics`, with positions in UTF-16 code units and edits in `data.edit`.
- `# pybuild: allow W0601` on the line above silences a warning for one statement.
"""

GROUPS = {
    "E00": "The reader of a file",
    "E01": "Syntax",
    "E02": "Names",
    "E03": "Types and values",
    "E04": "Calls",
    "E05": "States, files and mounts",
    "E06": "Params and checks",
    "E07": "Targets and their graph",
    "E08": "Modules and pins",
    "E09": "Security",
    "E10": "Build modules in Python",
    "W": "Warnings",
    "R": "Failures of a build",
}


def group(code: str) -> str:
    return next(title for prefix, title in GROUPS.items() if code.startswith(prefix))


def index() -> str:
    """The whole document."""
    out = [HEAD.replace("{shown}", page("E0201").shown)]
    last = ""
    for code in CODES:
        if group(code) != last:
            last = group(code)
            out.append(f"## {last}\n")
        found = page(code)
        title = found.title[:1].upper() + found.title[1:]
        text = fill(f"**{title}.** {_first(found.what)}", 118, break_long_words=False, break_on_hyphens=False)
        out.append(f"### {code}\n\n{text}\n")
    return "\n".join(out)


def _first(text: str) -> str:
    """The first sentence of a text, or the first two where the first is short."""
    sentences = re.split(r"(?<=[.?)]) (?=[A-Z`(])", text)
    return sentences[0] if len(sentences[0]) > 60 else " ".join(sentences[:2])
