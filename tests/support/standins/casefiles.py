"""Case files: statements in Markdown, with the calls of programs they must make.

    ## what the case is about

    ```pybuild
    apt.install(["curl"])
    ```

    ```text
    apt-get install -y curl
      as UID:GID
      in DIRECTORY
      with NAME=VALUE …
      at MOUNTPOINT …
    changes: /what/the/statements/leave
    ```

The file's name is that of the module. Lines of a call that say the same as for the call before are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

FOLDER = Path(__file__).parents[2] / "stdlib" / "cases"
_BLOCK = re.compile(r"^## (?P<title>.+?)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FENCE = re.compile(r"^```(pybuild|text)\n(.*?)^```$", re.M | re.S)


@frozen
class Case:
    title: str
    statements: str
    expected: str

    def target(self, name: str) -> str:
        """Targets: one of the statements, one of what they change."""
        body = "".join(f"    {line}\n" if line else "\n" for line in self.statements.splitlines())
        return (
            f"target {name}:\n    from start\n{body}\n"
            f'target changes_{name}:\n    from diff(image("base"), {name})\n    output "/" to "out/{name}"\n\n'
        )


def cases(module: str) -> list[Case]:
    text = (FOLDER / f"{module}.md").read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.finditer(text):
        fences = dict(_FENCE.findall(block["rest"]))
        found.append(Case(block["title"], fences["pybuild"], fences["text"]))
    return found


def modules() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def program(module: str) -> str:
    """The build file of a module's cases."""
    found = [f"case_{number}" for number in range(len(cases(module)))]
    targets = "".join(case.target(name) for name, case in zip(found, cases(module), strict=True))
    return f"""# syntax=pybuild:1

use {module}

target start:
    from "base"
    write "root:x:0:0::/root:/bin/sh\\napp:x:1000:1001::/:/bin/sh\\n" to "/etc/passwd"

{targets}group all = [{", ".join(f"changes_{name}" for name in found)}]
"""
