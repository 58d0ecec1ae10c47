"""Ask SLURM to start the job of this process again."""

import os
import shutil
import subprocess
from collections.abc import Mapping

from sceneparse.errors import InputError

_SECONDS = 60.0


def check_can_requeue(environment: Mapping[str, str] = os.environ) -> None:
    """Check that this process can ask SLURM to start its job again.

    Raises:
        InputError: If this is no job of SLURM, or the machine has no `scontrol`.
    """
    if "SLURM_JOB_ID" not in environment:
        raise InputError(
            "found no job of SLURM (SLURM_JOB_ID is not set), so nothing can start the run again; "
            "submit it with sbatch, or leave out requeue"
        )
    if shutil.which("scontrol", path=environment.get("PATH")) is None:
        raise InputError(
            f"job {environment['SLURM_JOB_ID']}: the command scontrol is not on PATH, so the job "
            "cannot be requeued; add its folder to PATH, or leave out requeue"
        )


def requeue_job(environment: Mapping[str, str] = os.environ) -> None:
    """Ask SLURM to put the job of this process back into its queue, which may end it at once.

    Raises:
        InputError: If SLURM refuses.
    """
    job = environment["SLURM_JOB_ID"]
    command = ["scontrol", "requeue", job]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip() or f"exit code {error.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"no answer in {_SECONDS:.0f} s"
    else:
        return
    raise InputError(
        f"the state is saved, but `{' '.join(command)}` failed ({reason}); submit the job again: "
        "it resumes (sbatch needs --requeue where the cluster does not requeue by default)"
    )
