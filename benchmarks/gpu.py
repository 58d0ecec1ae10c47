"""Checks and benchmarks of everything that depends on a GPU, in at most five minutes.

`make gpu` runs it. With `--device cpu` it runs on the CPU, as a test of the script. Each part is a
process of its own with a time limit, and `gpu.json` is written after each, so that a failure, a
crash or a timeout affects only that part.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results" / "gpu"
# Functions of `gpu_checks.py`, which is not imported here, as that would start PyTorch.
CHECKS = (
    "tf32_switch",
    "tf32_products",
    "losses_fp32",
    "losses_bf16",
    "losses_fp16",
    "label_maps",
    "wide_masks",
    "colors",
    "copies",
    "memory_formats",
    "model_options",
    "random_options",
    "fp16_learns",
    "bundled_fp32",
    "bundled_native",
    "weights_move",
    "auto_settings",
    "exact_resume",
    "exact_resume_fp16",
    "compiled_step",
)
BENCHMARKS = ("fused_loss", "evaluate_2100", "train_classic", "train_lite0")
# Time limit of all parts in seconds, and the largest share for the checks and for a benchmark.
TOTAL_S = 285.0
CHECKS_SHARE, BENCHMARK_SHARE = 0.5, 0.2
# Time limit of the process that starts PyTorch and describes the machine.
PROBE_S = 60.0


class Session(NamedTuple):
    """The settings of this run of the script.

    Attributes:
        device: `cuda` or `cpu`.
        quick: Use tiny sizes.
        out: Folder of the results.
        deadline: Time at which the last part has to end, on the monotonic clock.
        seconds: Time limit of all parts together.
    """

    device: str
    quick: bool
    out: Path
    deadline: float
    seconds: float

    def options(self) -> list[str]:
        """Return the options of every part."""
        return ["--device", self.device, *(["--quick"] if self.quick else [])]

    def limit(self, share: float) -> float:
        """Return the time limit of a part in seconds."""
        return min(share * self.seconds, self.deadline - time.monotonic())


def main() -> None:
    """Run the parts, print a table, and exit with 1 if a check or a part failed."""
    options = _options()
    # Raises SystemExit, so that the running part ends with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or _default_folder(options) or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        (out / "gpu.log").write_text("", encoding="utf-8")
        deadline = time.monotonic() + options.seconds
        session = Session(options.device, options.quick, out, deadline, options.seconds)
        record = {"device": session.device, "quick": session.quick, "machine": _machine(session)}
        record |= {"seconds": {}, "failed_parts": {}, "checks": [], "rows": []}
        _run_parts(session, record, options.only)
    print(_table(record))
    bad = [check for check in record["checks"] if check["status"] not in ("pass", "skip")]
    sys.exit(1 if bad or record["failed_parts"] else 0)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument("--quick", action="store_true", help="tiny sizes, as a test")
    options.add_argument("--out", type=Path, help="folder of the results (default: $OUT, else "
                         "benchmarks/results/gpu, but none if quick or on the CPU)")  # fmt: skip
    options.add_argument(
        "--seconds", type=float, default=TOTAL_S, help="time limit of all parts together"
    )
    options.add_argument(
        "--only", nargs="+", metavar="NAME", help="checks and benchmarks (default: all)"
    )
    return options.parse_args()


def _default_folder(options: argparse.Namespace) -> Path | None:
    if "OUT" in os.environ:
        return Path(os.environ["OUT"])
    return RESULTS if options.device == "cuda" and not options.quick else None


def _machine(session: Session) -> dict[str, Any]:
    """Describe the machine in a process of its own, so that this one does not start CUDA.

    Raises:
        SystemExit: If PyTorch does not start, or if `--device cuda` finds no CUDA device.
    """
    path = session.out / "machine.json"
    if _run(session, ["gpu_machine.py", str(path)], PROBE_S) != 0:
        sys.exit(f"{_log_end(session)}\ngpu: PyTorch could not be started")
    machine = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    if session.device == "cuda" and machine["gpu"] is None:
        sys.exit(
            f"gpu: PyTorch {machine['torch']} finds no CUDA device on this machine; run it where "
            "`nvidia-smi` shows one, or run `make gpu DEVICE=cpu` to try the script on the CPU"
        )
    return machine


def _run_parts(session: Session, record: dict[str, Any], only: Sequence[str] | None) -> None:
    checks = [name for name in CHECKS if only is None or name in only]
    benchmarks = [name for name in BENCHMARKS if only is None or name in only]
    unknown = set(only or ()) - {*checks, *benchmarks}
    if unknown:
        known = ", ".join([*CHECKS, *BENCHMARKS])
        sys.exit(f"gpu: --only: found {', '.join(sorted(unknown))}, expected names of {known}")
    _write(session, record)
    if checks:
        start = time.monotonic()
        record["checks"] = _run_checks(session, checks)
        record["seconds"]["checks"] = round(time.monotonic() - start, 1)
        _write(session, record)
    for name in benchmarks:
        start = time.monotonic()
        limit = session.limit(BENCHMARK_SHARE)
        command = [f"{name}.py", *session.options(), "--out", str(session.out)]
        status = _run(session, command, limit)
        record["seconds"][name] = round(time.monotonic() - start, 1)
        if status == 0:
            text = (session.out / f"{name}.json").read_text(encoding="utf-8")
            record["rows"] += json.loads(text)
        else:
            record["failed_parts"][name] = f"{_end_reason(status, limit)}\n{_log_end(session)}"
        _write(session, record)


def _run_checks(session: Session, names: Sequence[str]) -> list[dict[str, Any]]:
    """Run checks in one process; if one ends the process, run the others in another one."""
    path = session.out / "checks.jsonl"
    path.unlink(missing_ok=True)
    end = time.monotonic() + session.limit(CHECKS_SHARE)
    results: dict[str, dict[str, Any]] = {}
    while remaining := [name for name in names if name not in results]:
        limit = end - time.monotonic()
        if limit <= 0:
            results |= {name: _error(name, "out of time") for name in remaining}
            break
        command = ["gpu_checks.py", *session.options(), "--to", str(path), *remaining]
        status = _run(session, command, limit)
        results |= {check["name"]: check for check in _lines(path)}
        unfinished = next((name for name in remaining if name not in results), None)
        if unfinished is not None and status == 1:
            # An import failed: exceptions inside checks are caught.
            end_reason = f"{_end_reason(status, limit)}\n{_log_end(session)}"
            results |= {name: _error(name, end_reason) for name in remaining if name not in results}
        elif unfinished is not None and (status != RESTART or unfinished == remaining[0]):
            # The process ended inside this check; the next loop runs the others.
            results[unfinished] = _error(
                unfinished, f"{_end_reason(status, limit)}\n{_log_end(session)}"
            )
    path.unlink(missing_ok=True)
    return [results[name] for name in names]


# Exit status of a process of checks whose CUDA context is broken.
RESTART = 75


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def _error(name: str, end_reason: str) -> dict[str, Any]:
    empty = {"figure": None, "limit": None, "reason": "", "seconds": None}
    return {"name": name, "status": "error", "note": end_reason, **empty}


def _run(session: Session, command: Sequence[str], limit: float) -> int | None:
    """Run a file of this folder; return its exit status, or none after a timeout."""
    environment = {
        **os.environ,
        # Without it, cuBLAS may sum in another order in each call.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    full = [sys.executable, str(FOLDER / command[0]), *command[1:]]
    print(f"gpu: {' '.join(command)}", file=sys.stderr)
    with (session.out / "gpu.log").open("a", encoding="utf-8") as log:
        # In a session of its own, so that its child processes end with it.
        process = subprocess.Popen(
            full, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return process.wait(max(1.0, limit))
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _log_end(session: Session) -> str:
    """Return the last lines of the log."""
    text = (session.out / "gpu.log").read_text(encoding="utf-8", errors="replace")
    lines = text.replace(str(FOLDER.parent), ".").splitlines()[-12:]
    return "\n".join(f"    {line}" for line in lines)


def _end_reason(status: int | None, limit: float) -> str:
    if status is None:
        return f"stopped after {limit:.0f} s"
    return f"exit status {status}" if status >= 0 else f"ended by signal {-status}"


def _write(session: Session, record: Mapping[str, Any]) -> None:
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (session.out / "gpu.json").write_text(text + "\n", encoding="utf-8")


def _table(record: Mapping[str, Any]) -> str:
    machine = record["machine"]
    where = machine["gpu"] if record["device"] == "cuda" else machine["processor"]
    lines = [f"{where}, PyTorch {machine['torch']}, driver {machine['driver']}", ""]
    for check in record["checks"]:
        figure = "" if check["figure"] is None else f"{check['figure']:.3g} ≤ {check['limit']:.3g}"
        lines.append(f"{check['status']:5} {check['name']:20} {figure:20} {check['note']}")
    for row in record["rows"]:
        ours, theirs, ratio = (_short(row[key]) for key in ("ours", "theirs", "ratio"))
        what = f"{row['metric']}: ours {ours}, theirs {theirs} {row['unit']}, ratio {ratio}"
        lines.append(f"{row['benchmark']:14} {what} (against {row['peer']})")
    for name, end_reason in record["failed_parts"].items():
        lines.append(f"FAILED {name}: {end_reason}")
    lines.append("seconds: " + ", ".join(f"{k} {v}" for k, v in record["seconds"].items()))
    return "\n".join(lines)


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main()
