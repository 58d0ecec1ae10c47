"""Write the tables of `docs/results.md` from `benchmarks/results/accuracy/*.json`.

`make accuracy`, `make what-helps` and `make own-data` run it. A test checks that the document is up
to date.
"""

import argparse
from pathlib import Path

from accuracy.command_line import RESULTS
from accuracy.helps_section import helps_section
from accuracy.own_section import own_section
from accuracy.stored_results import read_results
from accuracy.time_section import time_section
from machine import ROOT
from table import rewritten

TARGET = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- written by make accuracy: begin -->", "<!-- written by make accuracy: end -->"


def document(old: str, results: Path = RESULTS) -> str:
    """Return the document with new tables.

    Args:
        old: The current document, with both markers.
        results: Folder of the JSON.
    """
    return rewritten(old, BEGIN, END, tables(results))


def tables(results: Path = RESULTS) -> str:
    """Return all sections as Markdown."""
    stored = read_results(results)
    lines = [*time_section(stored), *helps_section(stored), *own_section(stored)]
    if not lines:
        return (
            "No results yet: `make accuracy`, `make what-helps` and `make own-data` write them.\n"
        )
    return "\n".join(lines)


def main() -> None:
    """Write the document."""
    options = argparse.ArgumentParser(description="Write the tables of docs/results.md.")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON")
    chosen = options.parse_args()
    text = document(TARGET.read_text(encoding="utf-8"), chosen.results)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: written")


if __name__ == "__main__":
    main()
