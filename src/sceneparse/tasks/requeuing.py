"""Ask SLURM to start a job again, so that a run goes on in it after its time is over."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.errors import InputError
from sceneparse.recording.events import Callback, Message
from sceneparse.system.ranks import RankInfo
from sceneparse.tasks.run import Run
from sceneparse.training.distributed import broadcast_from_rank_zero

_TIMEOUT_S = 60.0


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
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)  # noqa: S603
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip() or f"exit code {error.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"no answer in {_TIMEOUT_S:.0f} s"
    else:
        return
    raise InputError(
        f"the state is saved, but `{' '.join(command)}` failed ({reason}); submit the job again: "
        "it resumes (sbatch needs --requeue where the cluster does not requeue by default)"
    )


def has_begun(folder: RunFolder) -> bool:
    """Return whether an earlier start of this job has left a checkpoint, in all processes.

    Raises:
        InputError: If the job cannot be requeued.
    """

    def found() -> bool:
        check_can_requeue()
        return folder.has_checkpoint

    # Rank zero decides: another machine may not see its files at once.
    return broadcast_from_rank_zero(found)


def requeued_after_warning(run: Run, rank_info: RankInfo, callback: Callback) -> Run:
    """Ask SLURM to start the job again, in rank zero, if its warning has stopped the run.

    Raises:
        InputError: If SLURM refuses; the state is saved.
    """
    if run.is_finished or rank_info.rank != 0:
        return run
    name = signal.Signals(run.stopped_by).name
    if name != "SIGUSR1":
        # Who presses Ctrl-C, or cancels the job, wants the run to end.
        callback(Message(f"stopped by {name}; only SIGUSR1 requeues the job"))
        return run
    # SLURM may end this process before it could say so.
    job = os.environ["SLURM_JOB_ID"]
    callback(Message(f"the state is saved; SLURM is asked to start job {job} again"))
    requeue_job()
    return replace(run, is_requeued=True)
