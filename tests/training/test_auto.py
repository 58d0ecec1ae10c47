"""The automatic settings of a run."""

import sys
from pathlib import Path

import pytest
import torch

from sceneparse import factory
from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.labels import ade20k_labels
from sceneparse.system.device import native_precision, release_memory, select_device
from sceneparse.system.processor import processor
from sceneparse.training.auto import resolve
from sceneparse.training.memory import activation_bytes_per_image, fitting_parts
from sceneparse.training.parts import has_unused_parameters


def test_a_wider_network_needs_more_memory_per_image() -> None:
    labels = ade20k_labels()
    needed: list[int] = []
    for width in (4, 8):
        config = parse_config(f"model: {{width: {width}}}\ntransform: {{size: 64}}", "test")
        segmenter = config.model.build(150)
        before = {name: value.clone() for name, value in segmenter.state_dict().items()}
        needed.append(activation_bytes_per_image(config, segmenter, labels, "fp32"))
        for name, value in segmenter.state_dict().items():
            torch.testing.assert_close(value, before[name])
    # The first stage alone keeps four maps of 64×64 in fp32.
    assert needed[0] > 4 * 4 * 64 * 64 * 4
    assert 1.3 * needed[0] < needed[1] < 2.1 * needed[0]


def test_a_forward_pass_that_fails_leaves_the_network_unchanged() -> None:
    config = parse_config("model: {width: 4}\ntransform: {size: 64}", "test")
    segmenter = config.model.build(150)
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}

    def fail(*_: object) -> None:
        raise ValueError("after the forward pass")

    segmenter.register_forward_hook(fail)
    with pytest.raises(ValueError, match="after the forward pass"):
        activation_bytes_per_image(config, segmenter, ade20k_labels(), "fp32")
    assert all(torch.equal(value, before[name]) for name, value in segmenter.state_dict().items())


@pytest.mark.parametrize(
    ("budget", "parts"), [(1e12, 1), (160, 1), (159, 2), (85, 2), (20, 8), (1, 8), (-5, 8)]
)
def test_the_number_of_parts_of_a_batch_follows_the_memory(budget: float, parts: int) -> None:
    assert fitting_parts(16, 10, budget) == parts


@pytest.mark.parametrize("share", range(1, 20))
@pytest.mark.parametrize("processes", [1, 2])
def test_each_part_has_at_least_two_images_over_all_processes(share: int, processes: int) -> None:
    parts = fitting_parts(share, 10, 1, processes)
    sizes = [len(part) for part in torch.arange(share).tensor_split(parts)]
    assert sum(sizes) == share
    assert min(sizes) * processes >= min(2, share * processes)


def test_an_unused_parameter_is_found() -> None:
    config = parse_config("model: {width: 4}", "test")
    segmenter = config.model.build(150)
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}
    random = torch.get_rng_state()
    loss = config.loss.build(ade20k_labels())
    assert not has_unused_parameters(segmenter, loss)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in segmenter.state_dict().items())
    segmenter.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
    assert has_unused_parameters(segmenter, loss)


def test_a_missing_device_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="device cuda: not available"):
        select_device("cuda")
    with pytest.raises(InputError, match="device cuda:1: not available"):
        select_device("cuda:1")
    for wanted in ("cpu:", "cpu:x", "cpu:1"):
        with pytest.raises(InputError, match=f"device {wanted}: this machine has 1 of cpu"):
            select_device(wanted)


def test_the_precision_is_native_to_the_processor() -> None:
    assert native_precision(torch.device("cpu")) == ("bf16" if processor().has_bf16 else "fp32")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell usable cores")
def test_threads_follow_the_cores_that_a_process_may_use(
    rectangles_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"data: {{kind: folder, root: {rectangles_root}}}\nmodel: {{width: 4}}\n"
    given = "device: cpu, precision: fp32, memory_format: contiguous, accumulation: 1"
    config = parse_config(f"{text}training: {{{given}, check_memory: false}}", "test")
    data = factory.dataset(config.data, "training")
    segmenter = config.model.build(data.labels.num_classes)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    for cores, threads in ((1, 1), (2, 2), (8, 2)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert resolve(config, segmenter, data).threads == threads


def test_the_memory_of_mps_is_released_too(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []
    monkeypatch.setattr("torch.mps.empty_cache", lambda: released.append("mps"))
    release_memory(torch.device("mps"))
    assert released == ["mps"]
