"""Bring a run back to its last checkpoint: when it resumes, and after a step that is not finite."""

from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import RunConfig
from sceneparse.recording.events import Callback, Message
from sceneparse.recording.recorded_run import RecordedRun
from sceneparse.system.ranks import RankInfo
from sceneparse.training.distributed import any_rank, broadcast_from_rank_zero
from sceneparse.training.nonfinite import NonFiniteStopError
from sceneparse.training.state import TrainState

# After each rollback the learning rate is halved; a 32nd of it would have helped.
MAX_ROLLBACKS = 5


def restore(state: TrainState, folder: RunFolder, callback: Callback) -> RecordedRun:
    """Load the newest checkpoint that is whole into the state of a run, in all processes.

    Returns:
        What the run has recorded up to that step.

    Raises:
        InputError: If there is no checkpoint, or it belongs to another run.
    """
    checkpoints = Checkpoints(folder.checkpoints)
    # Rank zero chooses, so that all processes resume from the same step.
    path = broadcast_from_rank_zero(
        lambda: checkpoints.newest(lambda text: callback(Message(text)))
    )
    saved = read_checkpoint(path)
    recorded = RecordedRun.from_state_dict(saved.pop("recorded"))
    state.load_state_dict(saved)
    return recorded


def roll_back(
    stop: NonFiniteStopError,
    config: RunConfig,
    state: TrainState,
    folder: RunFolder,
    rank_info: RankInfo,
    callback: Callback,
) -> RecordedRun:
    """Return to the last checkpoint with half the learning rate, if the config says so.

    The checkpoint is written again with the new factor, so that a run that is interrupted goes on
    as it would have done.

    Returns:
        What the run has recorded up to that step.

    Raises:
        NonFiniteStopError: If the run shall stop, or has gone back too often.
    """
    rollbacks, factor = state.guard.rollbacks + 1, state.guard.lr_factor / 2
    if config.training.on_nonfinite != "rollback":
        raise stop
    if rollbacks > MAX_ROLLBACKS:
        text = f"{stop}; {MAX_ROLLBACKS} rollbacks, each to half the learning rate, did not help"
        raise NonFiniteStopError(text, stop.number) from stop
    recorded = restore(state, folder, callback)
    state.guard.rollbacks, state.guard.lr_factor = rollbacks, factor
    if rank_info.rank == 0:
        kept = config.training.checkpoints_kept
        document = {**state.state_dict(), "recorded": recorded.state_dict()}
        Checkpoints(folder.checkpoints, kept).write(document)
        callback(
            Message(
                f"step {stop.number} was not finite; the run goes on from step {state.step} with "
                f"{factor:g} times the learning rate"
            )
        )
    any_rank(False)  # all wait for the file
    return recorded
