"""A point head is asked where the grid is least sure, and nothing else is touched."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse import build
from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.inference.backends.torch_points import TorchPointBackend
from sceneparse.inference.grid import log, resampled, softmax
from sceneparse.inference.point_refinement import PointRefinement, least_sure
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.refinement import occurring
from sceneparse.inference.remembering import RememberingPoints, remembering
from sceneparse.inference.resize import Resize
from sceneparse.inference.views import View, views_of
from sceneparse.models.segmenter import Segmenter
from sceneparse.upsample import upsample
from tests.inference.memory import printed
from tests.inference.networks import Floats, labels_of, picture

CLASSES, FEATURES, STRIDE = 7, 6, 4
CPU = torch.device("cpu")
MODEL = (
    "model: {kind: encoder_unet, encoder: test_resnet, weights: none, decoder_channels: [6], "
    "output_stride: 4, point_head: {width: 8, layers: 2}}"
)


def segmenter_with_points() -> Segmenter:
    """A network whose point head says something else than its upsampled logits."""
    torch.manual_seed(0)
    segmenter = build.segmenter(parse_config(MODEL, "test").model, CLASSES).eval()
    assert segmenter.point_head is not None
    torch.nn.init.normal_(segmenter.point_head.predictor.weight, std=0.5)
    torch.nn.init.normal_(segmenter.network.head.weight, std=2)
    return segmenter


def backend_of(segmenter: Segmenter) -> TorchPointBackend:
    assert segmenter.point_head is not None
    sizes = FEATURES, segmenter.point_head.place_bytes
    return TorchPointBackend(
        segmenter, labels_of(CLASSES), (32, STRIDE), CPU, nullcontext, 256, *sizes
    )


@pytest.fixture
def backend() -> TorchPointBackend:
    return backend_of(segmenter_with_points())


def dense(segmenter: Segmenter, image: NDArray[np.uint8], size: tuple[int, int]) -> Floats:
    """The point head at every pixel of a picture, layer by layer, in float64."""
    with torch.no_grad():
        batch = torch.from_numpy(image)[None].permute(0, 3, 1, 2)
        features = segmenter.features(batch).double()
        covered = segmenter.covered(image.shape[0], image.shape[1])
        head, point_head = segmenter.network.head, segmenter.point_head
        assert head.bias is not None
        assert point_head is not None
        logits = F.conv2d(features, head.weight.double(), head.bias.double())
        coarse = upsample(logits, covered, size)
        hidden = upsample(features, covered, size)
        for layer in (*point_head.layers, point_head.predictor):
            seen = torch.cat([hidden, coarse], dim=1)
            assert isinstance(layer, torch.nn.Conv1d)
            assert layer.bias is not None
            weight, bias = layer.weight[..., 0].double(), layer.bias.double()
            hidden = torch.einsum("bkhw,ok->bohw", seen, weight) + bias[:, None, None]
            hidden = hidden if layer is point_head.predictor else hidden.clamp(min=0)
    return hidden[0].numpy()


@pytest.mark.parametrize("size", [(32, 48), (39, 57)])
def test_the_head_at_all_pixels_is_the_dense_one(size: tuple[int, int]) -> None:
    segmenter = segmenter_with_points()
    image, refinement = picture(64, 96), PointRefinement(backend_of(segmenter), points=10**6)
    (seen,) = refinement.seen([image], Resize("keep_ratio", 64), [View()])
    result = refinement(seen, size)
    assert result.logits.shape == (len(result.classes), *size)
    expected = dense(segmenter, image, size)[result.classes]
    np.testing.assert_allclose(result.logits, expected, rtol=1e-3, atol=1e-3)


def test_cells_whose_margin_is_least_are_chosen() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 9, 11)).astype(np.float32)
    margin = [
        sorted(logits[:, number // 11, number % 11])[-1]
        - sorted(logits[:, number // 11, number % 11])[-2]
        for number in range(99)
    ]
    expected = sorted(sorted(range(99), key=margin.__getitem__)[:17])
    assert least_sure(logits, 17).tolist() == expected
    assert least_sure(logits, 99).tolist() == list(range(99))
    assert least_sure(logits[:2], 1000).tolist() == list(range(99))


def test_what_is_sure_stays_as_upsampled(backend: TorchPointBackend) -> None:
    image = picture(64, 96)
    refinement = PointRefinement(backend, points=60, steps=1)
    (seen,) = refinement.seen([image], Resize("keep_ratio", 64), [View()])
    kept = occurring(seen.answer)
    plain = resampled(log(kept.probabilities), (16, 24), (32, 48), (32, 48))
    replaced = least_sure(plain, 60)
    untouched = np.delete(np.arange(32 * 48), replaced)
    classes = len(kept.classes)
    found = refinement(seen, (64, 96)).logits.reshape(classes, -1)
    np.testing.assert_array_equal(found[:, untouched], plain.reshape(classes, -1)[:, untouched])
    assert (found[:, replaced] != plain.reshape(classes, -1)[:, replaced]).any(axis=0).all()


def test_logits_with_features_are_those_without(backend: TorchPointBackend) -> None:
    images = np.stack([picture(64, 32, 0), picture(64, 32, 1)])
    both = backend.logits_and_features(images)
    np.testing.assert_array_equal(both[:, :CLASSES], backend.logits(images))
    assert both.shape == (2, CLASSES + FEATURES, 16, 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (50, 33), (200, 90)])
@pytest.mark.parametrize("kind", ["squash", "window"])
def test_pictures_of_any_size_are_refined(
    backend: TorchPointBackend, size: tuple[int, int], kind: str
) -> None:
    resize = Resize("window" if kind == "window" else "squash", 40)  # not a multiple of 32
    views = views_of([1.0, 1.6], flip=True)
    refinement = PointRefinement(backend, points=100)
    predictor = Predictor(backend, labels_of(CLASSES), resize, views=views, refinement=refinement)
    prediction = predictor(picture(*size))
    assert prediction.mask.shape == size
    assert prediction.confidence.min() > 0
    assert prediction.confidence.max() <= 1 + 1e-5
    (counts,) = predictor.score([picture(*size)], [prediction.mask])
    assert counts.confusion.diagonal().sum() == size[0] * size[1]


def test_a_mirrored_look_asks_about_the_mirrored_place(backend: TorchPointBackend) -> None:
    image = picture(64, 96)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    refinement, resize = PointRefinement(backend, points=10**6), Resize("keep_ratio", 64)
    (plain,) = refinement.seen([mirrored], resize, [View()])
    (other,) = refinement.seen([image], resize, [View(mirrored=True)])
    one, two = refinement(plain, (64, 96)), refinement(other, (64, 96))
    assert one.classes.tolist() == two.classes.tolist()
    np.testing.assert_allclose(
        softmax(one.logits), softmax(two.logits)[:, :, ::-1], rtol=1e-3, atol=1e-5
    )


def test_windows_that_see_everything_change_nothing(backend: TorchPointBackend) -> None:
    image, refinement = picture(64, 64), PointRefinement(backend, points=300)
    answers = [
        refinement(refinement.seen([image], Resize(kind, 64), [View()])[0], (64, 64)).logits
        for kind in ("window", "keep_ratio")
    ]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5, atol=1e-5)


def test_a_network_without_a_point_head_is_refused() -> None:
    text = MODEL.replace("point_head: {width: 8, layers: 2}", "point_head: null")
    config = parse_config(f"{text}\ninference: {{refine: {{kind: point_head}}}}", "test")
    segmenter = build.segmenter(config.model, CLASSES)
    with pytest.raises(InputError, match=r"point_head, but the model has none.*model\.point_head"):
        build.predictor(segmenter, labels_of(CLASSES), config.inference, "fp32", CPU)


def test_remembered_features_are_computed_once(backend: TorchPointBackend) -> None:
    network = remembering(backend)
    assert isinstance(network, RememberingPoints)
    images = picture(64, 64)[None]
    np.testing.assert_array_equal(network.logits(images), backend.logits(images))
    assert network.saved_s == 0
    both = network.logits_and_features(images)
    assert network.saved_s > 0
    np.testing.assert_array_equal(both, backend.logits_and_features(images))


def test_refining_stays_in_its_memory_budget() -> None:
    rows, taken = printed("""
        import numpy as np
        from sceneparse.inference.point_refinement import Look, PointRefinement, Seen
        from sceneparse.inference.resize import CoveredLogits

        class Network:
            num_classes, num_features, input_stride, output_stride = 150, 4, 4, 4

            def logits_at(self, features, covered, places):
                return np.tile(places[:, 0], (150, 1))

        random = np.random.default_rng(0)
        # Thirty of 150 classes occur; at the size of the photo they would take 400 MiB.
        logits = np.full((150, 48, 64), -20, np.float32)
        logits[:30] = random.normal(0, 2, (30, 48, 64))
        seen = Seen(CoveredLogits(logits, (48.0, 64.0)), [Look(logits[:4], (48.0, 64.0), False)])

        refinement = PointRefinement(Network(), 10**6, 9, 32 * 2**20)
        refinement(seen, (48, 64))
        before = peak()
        print(refinement(seen, (1500, 2200)).logits.shape[1], peak() - before)
    """)
    assert 200 < int(rows) < 1500
    assert float(taken) < 32 + 12
