"""Find the module in which a training step first becomes non-finite."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TensorRange:
    """What values tensors hold.

    Attributes:
        min: Smallest finite value.
        max: Largest finite value.
        not_finite: Number of values that are infinite or NaN.
        values: Number of all values.
    """

    min: float
    max: float
    not_finite: int
    values: int

    @classmethod
    def of(cls, tensors: Iterable[Tensor]) -> "TensorRange":
        """Measure tensors; without a finite value, minimum and maximum are NaN."""
        flat = [tensor.detach().float().flatten() for tensor in tensors]
        values = torch.cat(flat) if flat else torch.zeros(0)
        finite = values[values.isfinite()]
        low, high = (float(x) for x in finite.aminmax()) if len(finite) else (torch.nan, torch.nan)
        return cls(low, high, len(values) - len(finite), len(values))

    def __str__(self) -> str:
        """Write the range, and how many values are not finite."""
        bad = f", {self.not_finite} of {self.values} not finite" if self.not_finite else ""
        return f"{self.min:.4g} to {self.max:.4g}{bad}"


@dataclass(frozen=True)
class FirstNonFinite:
    """Where a step first becomes non-finite.

    Attributes:
        phase: `weights` before the step; the output of a module in the `forward` pass; the `loss`;
            the gradient of a module's output or weights in the `backward` pass; the norm of the
            `gradient`, whose values are finite.
        module: Name of the module; of the largest gradient for `gradient`.
        kind: Class of the module.
        inputs: Range of its inputs; of the gradient of its output for `backward`, which is finite
            if the fault is in the gradient of its weights.
        weights: Range of its own weights.
        images: Indices of the images in the batch whose output is not finite; empty if it
            cannot be told.
    """

    phase: Literal["weights", "forward", "loss", "backward", "gradient"]
    module: str
    kind: str
    inputs: TensorRange
    weights: TensorRange
    images: tuple[int, ...] = ()


class Tracer:
    """Follows the forward and backward pass of a network by hooks.

    Attributes:
        first: Where it first became non-finite; none as long as it has not.
    """

    def __init__(self, network: nn.Module) -> None:
        """Take the network."""
        self.first: FirstNonFinite | None = None
        self._network = network
        self._inputs: dict[str, TensorRange] = {}
        self._last = TensorRange.of(())

    @contextmanager
    def following(self) -> Generator[None]:
        """Follow the network while the `with` block runs."""
        handles: list[Any] = []
        for name, module in self._network.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(partial(self._note_inputs, name)))
                handles.append(module.register_forward_hook(partial(self._check_output, name)))
            for parameter in module.parameters(recurse=False):
                if parameter.requires_grad:
                    check = partial(self._check_weight_gradient, name, module)
                    handles.append(parameter.register_post_accumulate_grad_hook(check))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def check_weights(self) -> None:
        """Look for weights or running statistics that are not finite before the step."""
        for name, module in self._network.named_modules():
            tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
            if not all(bool(tensor.isfinite().all()) for tensor in tensors):
                self._found("weights", name, module, TensorRange.of(()))

    def check_loss(self, loss: Tensor) -> None:
        """Look at the loss, which is computed from the head and the features."""
        if not bool(loss.isfinite()):
            head = self._network.get_submodule("network.head")
            self._found("loss", "network.head", head, self._last)

    def check_gradients(self) -> None:
        """Look whether the norm of all gradients overflows, though each value is finite."""
        gradients = {
            name: parameter.grad
            for name, parameter in self._network.named_parameters()
            if parameter.grad is not None
        }
        norm = nn.utils.get_total_norm(gradients.values())
        if gradients and not bool(norm.isfinite()):
            largest = max(gradients, key=lambda name: float(gradients[name].abs().max()))
            name = largest.rpartition(".")[0]
            module = self._network.get_submodule(name)
            self._found("gradient", name, module, TensorRange.of([gradients[largest]]))

    def _note_inputs(self, name: str, _module: nn.Module, inputs: Any) -> None:
        # Before the module runs, because it may work in place.
        if self.first is None:
            self._inputs[name] = TensorRange.of(_floats(inputs))

    def _check_output(self, name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        for tensor in _floats(output):
            if self.first is None and not bool(tensor.isfinite().all()):
                bad = ~tensor.isfinite().flatten(1).all(1) if tensor.ndim > 1 else torch.zeros(0)
                images = tuple(bad.nonzero().flatten().tolist())
                self._found("forward", name, module, self._inputs[name], images)
            if self.first is None and tensor.requires_grad:
                tensor.register_hook(partial(self._check_output_gradient, name, module))
            self._last = TensorRange.of([tensor])

    def _check_output_gradient(self, name: str, module: nn.Module, gradient: Tensor) -> None:
        measured = TensorRange.of([gradient])
        self._inputs[name] = measured
        if measured.not_finite:
            self._found("backward", name, module, measured)

    def _check_weight_gradient(self, name: str, module: nn.Module, weight: Tensor) -> None:
        if weight.grad is not None and not bool(weight.grad.isfinite().all()):
            inputs = self._inputs.get(name, TensorRange.of(()))
            self._found("backward", name, module, inputs)

    def _found(
        self,
        phase: Literal["weights", "forward", "loss", "backward", "gradient"],
        name: str,
        module: nn.Module,
        inputs: TensorRange,
        images: tuple[int, ...] = (),
    ) -> None:
        if self.first is None:
            weights = TensorRange.of(module.parameters(recurse=False))
            self.first = FirstNonFinite(phase, name, type(module).__name__, inputs, weights, images)


def _floats(value: Any) -> list[Tensor]:
    """Return the floating-point tensors of a module's inputs or outputs."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, tuple | list):
        return [tensor for child in value for tensor in _floats(child)]
    return []
