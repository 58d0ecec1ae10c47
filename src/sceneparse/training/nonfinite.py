"""Keep steps with a non-finite loss or gradient out of a run, without waiting for the device.

Only a run in fp16, or one whose optimizer is not fused, waits for the device in each step.

Whether a step is finite is decided on the device, where it stops optimizer, averages, sums and
batch norms. From the first non-finite step on, all steps change nothing until the host reads the
flag, every few steps; it then goes back to the step after the first one. So a run on a GPU takes
the same steps as one that reads the flag each time, and the weights before the step can be kept.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from sceneparse.artifacts.kept_step import NonFiniteStep
from sceneparse.data.loader import Loader
from sceneparse.errors import InputError
from sceneparse.ops.tensor_lists import copy_all_, move_towards_

# Rank zero reads the loss of each tenth step anyway, to report it.
READ_EVERY = 10


class NonFiniteStopError(InputError):
    """A step that is not finite stops training, until the run goes back or is resumed.

    Attributes:
        number: Number of the step, from 1.
    """

    def __init__(self, message: str, number: int) -> None:
        """Take the message and the number of the step."""
        super().__init__(message)
        self.number = number


class FirstNonFiniteStep(NamedTuple):
    """What the host learns of the first step that is not finite.

    Attributes:
        step: Steps done before it.
        loss: Its mean loss.
        gradient_norm: Norm of its gradient.
    """

    step: int
    loss: float
    gradient_norm: float


class FiniteGuard:
    """Notices steps that are not finite, and keeps them out of buffers, optimizer and averages.

    Attributes:
        lr_factor: Factor on all learning rates, which rollbacks reduce.
        skipped: Steps skipped so far.
        in_a_row: Steps skipped in a row, up to `last`.
        last: The last step skipped, as the number of steps before it; -1 if there is none.
        rollbacks: Rollbacks so far.
        read_every: Steps from one reading of the flag to the next; on the CPU, it costs nothing.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        """Take the network, on its device."""
        self.lr_factor = 1.0
        self.skipped = 0
        self.in_a_row = 0
        self.last = -1
        self.rollbacks = 0
        self.read_every = 1 if device.type == "cpu" else READ_EVERY
        self._network = network
        self._step = torch.full((), -1, dtype=torch.int64, device=device)
        self._values = torch.zeros(2, device=device)
        self._before: list[Tensor] = []

    def keep_buffers(self) -> None:
        """Copy the running statistics, which the forward pass of a step changes."""
        buffers = _bits(self._network)
        if not self._before:
            self._before = [torch.empty_like(buffer) for buffer in buffers]
        copy_all_(self._before, buffers)

    @torch.no_grad()
    def check(self, step: int, loss: Tensor, gradient_norm: Tensor, scaler: GradScaler) -> Tensor:
        """Decide on the device whether a step counts.

        All processes decide alike, because each of them has the loss and gradient of all.

        Args:
            step: Steps done before it.
            loss: Its mean loss over all processes.
            gradient_norm: Norm of its unscaled gradient.
            scaler: Scales the loss in fp16. While it does, an infinite gradient may come from the
                scale alone, which the scaler then lowers.

        Returns:
            A float scalar on the device: 1, or 0 if this step or one before it is not finite.
        """
        is_scaled = scaler.is_enabled() and scaler.get_scale() > 1
        values = torch.stack([loss.float(), gradient_norm.float()])
        decisive = values[:1] if is_scaled else values
        is_first = ~decisive.isfinite().all() & (self._step < 0)
        self._step.copy_(torch.where(is_first, step, self._step))
        self._values.copy_(torch.where(is_first, values, self._values))
        return (self._step < 0).float()

    def restore_buffers(self, taken: Tensor) -> None:
        """Bring back the running statistics from before a step that does not count.

        Args:
            taken: As `check` returns it.
        """
        # On integers, because 0 times NaN is NaN. They wrap around, so this is exact.
        move_towards_(_bits(self._network), self._before, 1 - taken.to(torch.int64))

    def is_due(self, step: int, steps_per_epoch: int) -> bool:
        """Return whether the host reads the flag after a step.

        Args:
            step: Steps done, with this one.
            steps_per_epoch: Steps of an epoch.
        """
        return step % self.read_every == 0 or step % steps_per_epoch == 0

    def read(self) -> FirstNonFiniteStep | None:
        """Wait for the device, and return the first step that is not finite and was not counted."""
        step = int(self._step)
        if step < 0:
            return None
        loss, gradient_norm = self._values.tolist()
        return FirstNonFiniteStep(step, loss, gradient_norm)

    def count(self, step: int) -> None:
        """Count a skipped step, and let the next ones change the run again.

        Args:
            step: Steps done before it.
        """
        self.skipped += 1
        self.in_a_row = self.in_a_row + 1 if step == self.last + 1 else 1
        self.last = step
        self._step.fill_(-1)

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the factor for a checkpoint."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        for name in _STATE:
            setattr(self, name, state[name])
        self._step.fill_(-1)


_STATE = ("lr_factor", "skipped", "in_a_row", "last", "rollbacks")


def step_if_finite(optimizer: torch.optim.Optimizer, scaler: GradScaler, taken: Tensor) -> None:
    """Do the step of an optimizer unless `taken` is 0; fused ones decide on the device.

    Args:
        optimizer: The optimizer.
        scaler: Scales the loss in fp16; the gradients are unscaled already.
        taken: As `FiniteGuard.check` returns it.
    """
    is_fused = getattr(optimizer, "_step_supports_amp_scaling", False)
    if scaler.is_enabled():
        if bool(taken):
            scaler.step(optimizer)
            scaler.update()
        else:
            # The scale is not the reason, so it stays.
            scaler.update(scaler.get_scale())
    elif is_fused and taken.device.type in ("cpu", "cuda"):
        # PyTorch's scaler tells fused optimizers in the same way.
        optimizer.found_inf = 1 - taken  # pyright: ignore[reportAttributeAccessIssue]
        optimizer.step()
        del optimizer.found_inf  # pyright: ignore[reportAttributeAccessIssue]
    elif bool(taken):
        optimizer.step()


def clip_gradients(optimizer: torch.optim.Optimizer, max_norm: float | None) -> Tensor:
    """Clip the gradients of an optimizer in place, and return their L2 norm before that.

    Args:
        optimizer: The optimizer.
        max_norm: Largest norm; `None` to clip nothing.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if max_norm is not None:
        return nn.utils.clip_grad_norm_(weights, max_norm)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    return nn.utils.get_total_norm(gradients)


def nonfinite_step(found: FirstNonFiniteStep, loader: Loader, parts: int) -> NonFiniteStep:
    """Add to a step which images of all processes it had, in how many parts."""
    ranks = [replace(loader, rank=rank) for rank in range(loader.world_size)]
    indices = [index for rank in ranks for _, index in rank.indices(found.step)]
    return NonFiniteStep(
        step=found.step,
        seed=loader.seed,
        names=tuple(loader.dataset.names[index] for index in indices),
        world_size=loader.world_size,
        loss=found.loss,
        gradient_norm=found.gradient_norm,
        parts=parts,
    )


def stop_message(
    step: NonFiniteStep, file: str, steps_per_epoch: int, policy: str, in_a_row: int
) -> str:
    """Write why a run ends, and what its user can do.

    Args:
        step: The step.
        file: Its file in the run folder; empty if it was not kept.
        steps_per_epoch: Steps of an epoch.
        policy: `training.on_nonfinite` of the run.
        in_a_row: Number of bad steps in a row.
    """
    names = ", ".join(step.names[:4]) + (", ..." if len(step.names) > 4 else "")
    row = f"{in_a_row} steps in a row were not finite; " if in_a_row > 1 else ""
    kept = f"; `sceneparse replay {file}` says where it comes from" if file else ""
    ways = []
    if policy in ("stop", "skip"):
        ways.append("with training.on_nonfinite=rollback, which halves the learning rate")
    if policy == "stop":
        ways.append("with training.on_nonfinite=skip, which leaves such steps out")
    resuming = f"Resume {', or '.join(ways)}; or start" if ways else "Start"
    return (
        f"{row}step {step.number} (epoch {step.step // steps_per_epoch + 1}): {step.reason}; the "
        f"weights are those before it; its {len(step.names)} images are {names}{kept}. {resuming} "
        "another run with a lower optimizer.lr, with training.clip_norm=1, or with "
        "training.precision=fp32"
    )


def _bits(network: nn.Module) -> list[Tensor]:
    """View the buffers of a network as integers of the same size."""
    return [buffer.view(_INTEGERS[buffer.element_size()]) for buffer in network.buffers()]


_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
