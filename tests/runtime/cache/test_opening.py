"""Many processes open one store that is not there yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OPEN = """
import sys
from pybuild.runtime.content.store import Store
print("ready", flush=True)
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    with store.transaction() as db:
        db.execute("INSERT INTO lease VALUES (?, 'blob', 'x')", (sys.argv[2],))
    store.bump()
"""


def test_a_fresh_store_is_opened_by_all_at_once(tmp_path: Path) -> None:
    for number in range(3):
        root = str(tmp_path / str(number))
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", OPEN, root, str(one)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for one in range(6)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outcomes = [process.communicate(timeout=60)[1] for process in processes]
        assert outcomes == [""] * len(processes)
        assert all(process.returncode == 0 for process in processes)
