"""Times compiles of large programs of the language, phase by phase, and prints one table.

    python tests/bench/compile.py [--only TEXT] [--sizes 10,100,1000,10000]

CPU seconds of this process, with everything imported and nothing cached.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.lang.textual.growth.phases import PHASES, seconds  # noqa: E402
from tests.lang.textual.growth.shapes import REFUSED, SHAPES  # noqa: E402


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--only", default="", help="shapes whose name contains this")
    options.add_argument("--sizes", default="10,100,1000,10000")
    given = options.parse_args()
    print(f"| program | parts | {' | '.join(PHASES)} | all |\n{'|---' * (len(PHASES) + 3)}|")
    for name, shape in {**SHAPES, **REFUSED}.items():
        for number in map(int, given.sizes.split(",")) if given.only in name else ():
            times, _ = seconds(shape(number))
            cells = [f"{times[phase]:.3f} s" if phase in times else "–" for phase in PHASES]
            print(f"| {name} | {number} | {' | '.join(cells)} | {sum(times.values()):.3f} s |", flush=True)


if __name__ == "__main__":
    main()
