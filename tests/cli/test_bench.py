"""`bench data`, as a user runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_bench_prints_the_figures_that_it_writes(
    rectangles_config: Path, cli: Cli, tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())
    done = cli("bench", "data", rectangles_config, "--pictures", "8", "--json", "figures.json")
    assert done.returncode == 0, done.stderr
    assert set(tmp_path.iterdir()) - before == {tmp_path / "figures.json"}
    figures = json.loads((tmp_path / "figures.json").read_text())
    lines = done.stdout.splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    timed = [*figures["stages"], *figures["loader"], figures["step"], figures["training"]]
    printed = [(row[1], row[2]) for row in rows if len(row) == 4 and "all, in one" not in row[0]]
    assert printed == [
        (f"{each['ms_per_picture']:,.2f}", f"{each['pictures_per_s']:,.1f}") for each in timed
    ]
    shares = [row[3] for row in rows if len(row) == 4 and row[3]]
    assert shares == [*(f"{each['share']:.1%}" for each in figures["stages"]), "100.0%"]
    assert sum(each["share"] for each in figures["stages"]) == pytest.approx(1)
    assert "loader, 2 threads (this run)" in done.stdout
    assert figures["advice"]
    assert set(figures["advice"]) <= set(lines)


def test_bench_of_a_wrong_config_says_what_is_wrong(
    rectangles_config: Path, fails: Callable[..., str]
) -> None:
    message = fails("bench", "data", rectangles_config, "training.thread=4")
    assert "training.thread: unknown key; did you mean `threads`" in message
