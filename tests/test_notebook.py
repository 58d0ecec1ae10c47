"""All cells of the notebook in docs/ run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"
# Like Jupyter, shows the value of the last expression of a cell.
RUNNER = """
import ast
import json
import sys

if __name__ == "__main__":
    namespace = {"__name__": "notebook"}
    for source in json.load(open(sys.argv[1])):
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), namespace)
        if last:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
            print("SHOWN", repr(value))
            for kind in ("html", "png"):
                shown = getattr(value, f"_repr_{kind}_", lambda: None)()
                if shown:
                    print(kind, len(shown))
"""


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in cells), "store the notebook without outputs"
    (tmp_path / "cells.json").write_text(json.dumps(sources))
    (tmp_path / "runner.py").write_text(RUNNER)
    done = subprocess.run(
        [sys.executable, "runner.py", "cells.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SHOWN Prediction(256×192," in done.stdout
    for kind in ("html", "png"):
        assert re.search(rf"^{kind} \d{{4,}}$", done.stdout, re.MULTILINE)
    assert (tmp_path / "run" / "training_history.png").is_file()
