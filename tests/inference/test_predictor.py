"""A predictor takes a network of any runtime and images of any kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sceneparse.errors import InputError
from sceneparse.inference.backends.torch import TorchNetwork
from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.guided_filter import GuidedFilter
from sceneparse.inference.network import Logits
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.refinement import Refinement
from sceneparse.inference.resize import Resize, ResizeKind
from sceneparse.inference.settings import DenseCrfRefinement, GuidedFilterRefinement
from sceneparse.inference.views import views_of
from tests.inference.memory import printed
from tests.inference.networks import (
    ArrayNetwork,
    SquaresNetwork,
    labels_of,
    network_of,
    random_image,
)


@pytest.mark.parametrize("kind", ["stretch", "keep_ratio", "window"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    "refinement",
    [
        None,
        GuidedFilter(GuidedFilterRefinement(radius=2)),
        DenseCrf(DenseCrfRefinement(radius=2), 8),
    ],
)
def test_networks_of_arrays_and_of_tensors_predict_alike(
    kind: ResizeKind, *, flip: bool, refinement: Refinement | None
) -> None:
    network = network_of(SquaresNetwork(6, 8), 6, 8)
    ours, theirs = (
        Predictor(
            each,
            labels_of(6),
            Resize(kind, 64),
            views=views_of([1.0], flip=flip),
            refinement=refinement,
        )
        for each in (ArrayNetwork(network), network)
    )
    image = random_image(70, 130)
    target = np.random.default_rng(1).integers(0, 6, (70, 130)).astype(np.uint8)
    own, other = ours(image), theirs(image)
    # Logits up to 30 with eight roundings of 6e-8 each differ by 2e-5, and so do probabilities.
    np.testing.assert_allclose(own.confidence, other.confidence, atol=1e-4)
    # Only where two classes tie may another one win: neither then has more than one half.
    differs = own.mask != other.mask
    assert (own.confidence[differs] < 0.5 + 1e-4).all()
    assert differs.mean() < 0.001
    (counts,), (expected,) = (each.score([image], [target]) for each in (ours, theirs))
    assert counts.loss == pytest.approx(expected.loss, rel=1e-4)
    assert counts.confusion.sum() == target.size


def predictor_of(kind: ResizeKind = "keep_ratio", batch_size: int = 2) -> Predictor:
    network = Recording(network_of(SquaresNetwork(6, 8), 6, 8))
    return Predictor(network, labels_of(6), Resize(kind, 64), batch_size)


class Recording:
    """A network that remembers the shapes of its batches."""

    def __init__(self, network: TorchNetwork) -> None:
        self.num_classes = network.num_classes
        self.input_stride, self.output_stride = network.input_stride, network.output_stride
        self.network = network
        self.shapes: list[tuple[int, ...]] = []

    def logits(self, images: NDArray[np.uint8]) -> Logits:
        self.shapes.append(images.shape)
        return self.network.logits(images)


def test_one_image_of_any_kind_has_the_prediction_of_its_array(tmp_path: Path) -> None:
    predictor = predictor_of()
    pixels = random_image(50, 70)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    expected = predictor(pixels)
    kinds: list[Any] = [path, str(path), path.read_bytes(), Image.open(path)]
    kinds += [torch.from_numpy(pixels).permute(2, 0, 1), pixels / 255]
    for image in kinds:
        found = predictor(image)
        np.testing.assert_array_equal(found.image, pixels)
        np.testing.assert_array_equal(found.mask, expected.mask)
        np.testing.assert_array_equal(found.confidence, expected.confidence)
        assert found.confidence.dtype == np.float32


@pytest.mark.parametrize("kind", ["stretch", "keep_ratio", "window"])
@pytest.mark.parametrize("container", [list, tuple])
def test_each_image_of_a_list_is_predicted_as_alone(kind: ResizeKind, container: Any) -> None:
    predictor = predictor_of(kind)
    sizes = [(50, 90), (64, 64), (100, 180), (90, 50), (70, 70), (200, 360)]
    images = [random_image(*size, seed=seed) for seed, size in enumerate(sizes)]
    found = predictor(container(images))
    assert isinstance(found, list)
    for image, prediction in zip(images, found, strict=True):
        alone = predictor(image)
        np.testing.assert_array_equal(prediction.image, image)
        np.testing.assert_array_equal(prediction.mask, alone.mask)
        np.testing.assert_array_equal(prediction.confidence, alone.confidence)


def test_images_of_one_network_size_go_through_in_batches() -> None:
    sizes = [(50, 90), (64, 64), (100, 180), (90, 50), (70, 70), (200, 360)]
    predictor = predictor_of(batch_size=2)
    network = predictor.network
    assert isinstance(network, Recording)
    predictor([random_image(*size) for size in sizes])
    # Three wide images of one size, two squares and one tall image.
    assert sorted(shape[0] for shape in network.shapes) == [1, 1, 2, 2]
    assert all(shape[0] <= 2 for shape in network.shapes)


def test_no_images_have_no_predictions() -> None:
    assert predictor_of()([]) == []


def test_a_wrong_image_of_a_list_is_named_before_any_is_predicted() -> None:
    predictor = predictor_of()
    with pytest.raises(InputError, match=r"^image 2 of 2: found NoneType; expected an image"):
        predictor([random_image(5, 5), None])
    with pytest.raises(InputError, match=r"^image 1 of 1: found list"):
        predictor([[random_image(5, 5)]])
    assert isinstance(predictor.network, Recording)
    assert predictor.network.shapes == []


def test_a_network_of_arrays_predicts_where_torch_is_not_installed() -> None:
    (classes,) = printed("""
        import sys
        sys.modules["torch"] = None  # an import now fails
        import numpy as np
        from sceneparse.inference.guided_filter import GuidedFilter
        from sceneparse.inference.predictor import Predictor
        from sceneparse.inference.resize import Resize
        from sceneparse.inference.views import views_of
        from sceneparse.labels import Labels

        class MeanColors:
            num_classes, input_stride, output_stride = 3, 8, 8

            def logits(self, images):
                batch, height, width, _ = images.shape
                squares = images.reshape(batch, height // 8, 8, width // 8, 8, 3)
                return squares.mean(axis=(2, 4)).transpose(0, 3, 1, 2).astype(np.float32)

        labels = Labels(("red", "green", "blue"), ((255, 0, 0),) * 3, (0, 1, 2))
        image = np.zeros((70, 90, 3), np.uint8)
        image[:, :45, 0] = image[:, 45:, 2] = 9
        for kind in ("stretch", "window"):
            predictor = Predictor(
                MeanColors(), labels, Resize(kind, 32), 1, views_of([1, 2], flip=True),
                GuidedFilter(),
            )
            prediction, _ = predictor([image, image])
            prediction.overlay()
            predictor.score([image], [prediction.mask])
        print(",".join(found["name"] for found in prediction.classes()))
    """)
    assert set(classes.split(",")) == {"red", "blue"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stretch", "keep_ratio", "window"])
def test_memory_is_proportional_to_the_pixels_of_a_large_image(kind: str, tmp_path: Path) -> None:
    segmenting, saving = printed(f"""
        import numpy as np
        from sceneparse.inference.predictor import Predictor
        from sceneparse.inference.resize import Resize
        from sceneparse.labels import Labels

        class MeanColors:
            num_classes, input_stride, output_stride = 3, 8, 8

            def logits(self, images):
                batch, height, width, _ = images.shape
                squares = images.reshape(batch, height // 8, 8, width // 8, 8, 3)
                return squares.mean(axis=(2, 4), dtype=np.float32).transpose(0, 3, 1, 2)

        labels = Labels(("red", "green", "blue"), ((255, 0, 0),) * 3, (0, 1, 2))
        image = np.zeros((4500, 6000, 3), np.uint8)
        image[:, :3000, 0] = image[:, 3000:, 2] = 9
        predictor = Predictor(MeanColors(), labels, Resize({kind!r}, 256), memory_budget_mb=16)
        predictor.segment(image[:300, :400]).save({str(tmp_path)!r}, "small")
        before = peak()
        prediction = predictor.segment(image)
        segmented = peak()
        prediction.save({str(tmp_path)!r}, "large", formats=("mask", "color", "overlay", "json"))
        print(segmented - before, peak() - before)
    """)
    megapixels = 4500 * 6000 / 2**20
    # Mask and confidence take 5 bytes a pixel; Pillow resizes a copy of 4. The coloured mask takes
    # 4 and its label map 1; the overlay, of a quarter of the pixels, 20 of each.
    assert float(segmenting) < 7 * megapixels
    assert float(saving) < 11 * megapixels
