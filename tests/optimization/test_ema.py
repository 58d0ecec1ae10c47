"""The exponential moving average of the weights."""

import pytest
import torch
from torch import nn

from sceneparse.optimization.ema import WeightEMA


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def change(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    module(torch.randn(2, 3, 8, 8, generator=generator))


def test_the_ema_equals_its_definition() -> None:
    module = network()
    average = WeightEMA(module, 0.6)
    expected = {name: value.double() for name, value in module.state_dict().items()}
    for step in range(30):
        change(module, step)
        average.update(module, step)
        decay = min(0.6, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    assert (1 + 29) / (10 + 29) > 0.6
    state = average.state_dict()
    for name in ("0.weight", "0.bias", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(state[name].double(), expected[name], rtol=1e-5, atol=1e-5)
        assert state[name].dtype == torch.float32
    assert int(state["1.num_batches_tracked"]) == 30


def test_the_ema_of_constant_weights_is_constant() -> None:
    module = network()
    average = WeightEMA(module, 0.999)
    for step in range(2000, 2005):
        average.update(module, step)
    for name, value in module.state_dict().items():
        assert torch.equal(average.state_dict()[name], value)


def test_the_ema_continues_from_its_state_dict() -> None:
    module = network()
    first, second = WeightEMA(module, 0.99), WeightEMA(network(), 0.99)
    change(module, 1)
    first.update(module, 0)
    second.load_state_dict(first.state_dict())
    change(module, 2)
    for average in (first, second):
        average.update(module, 1)
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)


def test_the_ema_is_a_frozen_copy_in_evaluation_mode() -> None:
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    average = WeightEMA(module, 0.9)
    change(module, 0)
    for name, value in average.state_dict().items():
        assert torch.equal(value, before[name])
    assert module.training
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_ema_keeps_the_memory_format_of_the_network(layout: torch.memory_format) -> None:
    module = network()
    module.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    average = WeightEMA(module, 0.9)
    change(module, 0)
    average.update(module, 0)
    weight = average.network.get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=layout)
