"""Contradictory fields of `transform` and `sampling` are refused with their path."""

import pytest

from sceneparse.config import RunConfig
from sceneparse.config.reading import config_yaml, parse_config
from sceneparse.data.settings import ClassBalancedSampling, UniformSampling
from sceneparse.errors import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("transform: {scale: [2, 0.5]}", "transform: scale begins with the larger"),
        ("transform: {scale: 2}", "transform.scale: Input should be a valid tuple"),
        ("transform: {scale: [0, 1]}", "transform.scale.0: Input should be greater than 0"),
        ("transform: {scale: [0.5, 2], crop: 0.5}", "both set the size of the crop; remove one"),
        ("transform: {short_side: 512}", "short_side is the side at scale 1; give scale too"),
        ("transform: {class_share: 0.75}", "set crop < 1 or scale"),
        ("transform: {cutmix: 0.6, classmix: 0.6}", "add up to more than 1"),
        ("transform: {blur: 1.5}", "transform.blur: Input should be less than or equal to 1"),
        ("transform: {rotate: 5}", "transform.rotate: unknown key; did you mean `rotation`?"),
        ("sampling: {kind: balanced}", "kind `balanced` is unknown; expected one of 'uniform'"),
        ("sampling: {threshold: 0.1}", "it belongs to `sampling.kind: class_balanced`"),
        ("sampling: {kind: class_balanced, threshold: 0}", "sampling.threshold: Input should be"),
    ],
)
def test_a_mistake_is_reported_with_its_path(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(text, "run.yaml")
    assert message in str(caught.value)


def test_optional_augmentations_are_off_and_round_trip_through_yaml() -> None:
    config = RunConfig()
    assert config.sampling == UniformSampling()
    off = config.transform
    assert (off.scale, off.class_share, off.rotation, off.color_probability) == (None, 1, 0, 1)
    assert not any((off.grey, off.blur, off.noise, off.jpeg))
    assert not any((off.cutmix, off.classmix, off.copy_paste))
    text = "transform: {scale: [0.5, 2], short_side: 512}\nsampling: {kind: class_balanced}"
    config = parse_config(text, "run.yaml")
    assert config.sampling == ClassBalancedSampling()
    assert parse_config(config_yaml(config), "again") == config
