"""A run that goes on in the same job of SLURM after its time is over."""

import os
import signal
from dataclasses import replace

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.recording.events import Callback, Message
from sceneparse.system.ranks import RankInfo
from sceneparse.system.slurm import check_can_requeue, requeue_job
from sceneparse.tasks.run import Run
from sceneparse.training.distributed import broadcast_from_rank_zero


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
