"""The average of the weights over the steps."""

import pytest
import torch
from torch import nn

from sceneparse.optimization.average import WeightAverage


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def moved(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    module(torch.randn(2, 3, 8, 8, generator=generator))


def test_an_average_is_that_of_its_definition() -> None:
    module = network()
    average = WeightAverage(module, 0.6)
    expected = {name: value.double() for name, value in module.state_dict().items()}
    for step in range(30):
        moved(module, step)
        average.follow(module, step)
        decay = min(0.6, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    assert (1 + 29) / (10 + 29) > 0.6
    state = average.state_dict()
    for name in ("0.weight", "0.bias", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(state[name].double(), expected[name], rtol=1e-5, atol=1e-5)
        assert state[name].dtype == torch.float32
    assert int(state["1.num_batches_tracked"]) == 30


def test_an_average_of_what_stays_is_what_stays() -> None:
    module = network()
    average = WeightAverage(module, 0.999)
    for step in range(2000, 2005):
        average.follow(module, step)
    for name, value in module.state_dict().items():
        assert torch.equal(average.state_dict()[name], value)


def test_an_average_goes_on_where_it_was() -> None:
    module = network()
    first, second = WeightAverage(module, 0.99), WeightAverage(network(), 0.99)
    moved(module, 1)
    first.follow(module, 0)
    second.load_state_dict(first.state_dict())
    moved(module, 2)
    for average in (first, second):
        average.follow(module, 1)
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)


def test_an_average_leaves_the_network_alone_and_predicts() -> None:
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    average = WeightAverage(module, 0.9)
    moved(module, 0)
    for name, value in average.state_dict().items():
        assert torch.equal(value, before[name])
    assert module.training
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_average_lies_in_memory_as_its_network(layout: torch.memory_format) -> None:
    module = network()
    module.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    average = WeightAverage(module, 0.9)
    moved(module, 0)
    average.follow(module, 0)
    weight = average.network.get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=layout)
