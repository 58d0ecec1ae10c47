"""Write the tables of `docs/performance.md` from `benchmarks/results/*.json`.

`make bench` runs it. A test checks that the document is up to date. The exit status is 1 if a ratio
misses its target.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
TARGET = FOLDER.parent / "docs" / "performance.md"
BEGIN, END = "<!-- written by make bench: begin -->", "<!-- written by make bench: end -->"
# In the order of the document; limits have a table of their own before them.
BENCHMARKS = (
    "train_classic",
    "train_lite0",
    "fused_loss",
    "evaluate_2100",
    "input",
    "confusion",
    "two_processes",
    "busy",
    "scaling",
    "infer_classic",
    "infer_lite0",
    "cold_start",
    "large",
    "parity",
    "serve_load",
    "serve_fuzz",
    "page",
    "single_page",
)

Rows = Sequence[dict[str, Any]]


def document(old: str, results: Path = RESULTS) -> str:
    """Return the document with new tables.

    Args:
        old: The current document, with both markers.
        results: Folder of the JSON.
    """
    return rewritten(old, BEGIN, END, tables(results))


def rewritten(old: str, begin: str, end: str, text: str) -> str:
    """Replace the text between two markers of a document."""
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def tables(results: Path = RESULTS) -> str:
    """Return machine, limits and measurements as Markdown."""
    limits = _read(results, "limits")
    figures = {name: rows for name in BENCHMARKS if (rows := _read(results, name))}
    if not figures:
        return "No results yet: `make bench` writes them.\n"
    rates = {row["metric"]: row["ours"] for row in limits}
    scaling = figures.pop("scaling", [])
    rows = [row for part in figures.values() for row in part]
    parts = [*made_on([*limits, *rows, *scaling]), *_limits(limits), *_figures(rows, rates)]
    return "\n".join([*parts, *_scaling(scaling)])


def failures(results: Path = RESULTS) -> list[str]:
    """List the ratios that miss their target."""
    rows = [row for name in BENCHMARKS for row in _read(results, name)]
    return [
        f"{row['benchmark']}, {row['metric']}: found a ratio of {_number(row['ratio'])}, "
        f"expected at least {row['min_ratio']}"
        for row in rows
        if row["holds"] is False
    ]


def main() -> None:
    """Write the document."""
    options = argparse.ArgumentParser(description="Write the tables of docs/performance.md.")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON")
    chosen = options.parse_args()
    text = document(TARGET.read_text(encoding="utf-8"), chosen.results)
    TARGET.write_text(text, encoding="utf-8")
    missed = failures(chosen.results)
    print("\n".join(missed) or f"{TARGET.name}: written; all ratios reach their targets")
    sys.exit(bool(missed))


def _read(results: Path, name: str) -> list[dict[str, Any]]:
    path = results / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def made_on(rows: Rows) -> list[str]:
    """Describe the machines and the commits of some results."""
    machines = {json.dumps(row["machine"], sort_keys=True) for row in rows}
    commits = sorted({str(row["commit"]) for row in rows})
    lines: list[str] = []
    for text in sorted(machines):
        machine = json.loads(text)
        packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
        lines.append(
            f"Machine: {machine['processor']}, {machine['cores']} cores "
            f"({', '.join(machine['instructions'])}), {machine['memory_gib']} GiB, "
            f"{machine['system']}; PyTorch with {machine['threads']} threads. "
            f"Python {machine['python']}, {packages}."
        )
    commit = ", ".join(f"`{commit}`" for commit in commits)
    return [*lines, "", f"Commit: {commit}.", ""]


def _limits(rows: Rows) -> list[str]:
    if not rows:
        return []
    cells = [[_LIMITS.get(row["metric"], row["metric"]), _measure(row, "ours")] for row in rows]
    return [*markdown(["limit of the machine", "rate"], cells), ""]


def _figures(rows: Rows, rates: dict[str, float]) -> list[str]:
    header = ["benchmark", "peer", "metric", "ours", "theirs", "ratio (min to max)", "target"]
    cells = [
        [
            f"`{row['benchmark']}`",
            row["peer"],
            row["metric"] + (f", {row['seeds']} seeds" if row["seeds"] > 1 else ""),
            _measure(row, "ours"),
            _measure(row, "theirs"),
            _ratio(row),
            _verdict(row),
            _of_limit(row, rates),
        ]
        for row in rows
    ]
    notes = [f"`{row['benchmark']}`, {row['metric']}: {row['note']}" for row in rows if row["note"]]
    remarks = [f"- {note}." for note in dict.fromkeys(notes)]
    return [*markdown([*header, "of the limit"], cells), "", *remarks, ""]


def _scaling(rows: Rows) -> list[str]:
    if not rows:
        return []
    cells = [[row["metric"], f"{row['ours']:.2f}", _verdict(row)] for row in rows]
    limit = _number(rows[0]["theirs"])
    header = ["growth of", "exponent", f"target ≤ {limit}"]
    return [*markdown(header, cells), "", "![Growth of time and memory](images/scaling.png)", ""]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Format a table as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _measure(row: dict[str, Any], side: str) -> str:
    value, unit = row[side], row["unit"]
    if value is None:
        return "–"
    if unit == "s" and value < 1:
        value, unit = 1000 * value, "ms"
    return f"{_number(value)} {unit}"


def _ratio(row: dict[str, Any]) -> str:
    if row["ratio"] is None:
        return "–"
    text = f"**{_number(row['ratio'])}**"
    if row["ratio_min"] is None:
        return text
    return f"{text} ({_number(row['ratio_min'])} to {_number(row['ratio_max'])})"


def _verdict(row: dict[str, Any]) -> str:
    if row["min_ratio"] is None:
        return "reported"
    text = "" if row["benchmark"] == "scaling" else f"≥ {row['min_ratio']}: "
    return text + {True: "holds", False: "**does not hold**", None: "reported"}[row["holds"]]


def _of_limit(row: dict[str, Any], rates: dict[str, float]) -> str:
    if row["ideal"] is not None and row["ratio"] is not None:
        return f"{row['ratio'] / row['ideal']:.0%} of {_number(row['ideal'])}"
    rate = rates.get(row["limit"] or "")
    if rate is None or row["amount"] is None or not row["ours"]:
        return "–"
    return f"{row['amount'] / rate / row['ours']:.0%} ({row['limit']})"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


_LIMITS = {
    "gemm_fp32": "`gemm_fp32`: matrix product, fp32",
    "gemm_bf16": "`gemm_bf16`: matrix product, bf16",
    "copy": "`copy`: memory read and written",
    "exp": "`exp`: exponentials in cache",
    "max": "`max`: largest of 150 classes with its index, in cache",
    "count": "`count`: `np.bincount`, one thread",
    "jpeg": "`jpeg`: decoding by Pillow, a thread per core",
}


if __name__ == "__main__":
    main()
