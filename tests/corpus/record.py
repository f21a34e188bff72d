"""Writes `findings.tsv`: for each file its stages and what checks find in it.

    PYTHONPATH=.:src python tests/corpus/record.py

Read the difference: a rule that comes or goes is a change of what users see in files like theirs.
"""

from __future__ import annotations

import os

from tests.corpus.sample import Sample, names

GOLDEN = os.path.join(os.path.dirname(__file__), "findings.tsv")


def line(sample: Sample) -> str:
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(sample.findings().items()))
    return f"{sample.name}\t{len(sample.dockerfile.stages)}\t{rules or '-'}"


if __name__ == "__main__":
    with open(GOLDEN, "w", encoding="utf-8") as file:
        file.write("file\tstages\tfindings\n")
        file.writelines(line(Sample(name)) + "\n" for name in names())
