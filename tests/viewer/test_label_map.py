"""What the viewer computes from a label map, compared with slow computations in Python."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.viewer.scripts import load_scripts, segmentation

VOID = 255
Labels = NDArray[np.uint8]


@pytest.fixture
def scripts(page: Page) -> Page:
    load_scripts(page, "label_map.js")
    return page


def blobs(seed: int, size: tuple[int, int] = (23, 31)) -> Labels:
    """Draw labels 0, 1, 2 and void in blocks and single pixels, which make odd regions."""
    random = np.random.default_rng(seed)
    values = np.array([0, 1, 2, VOID], np.uint8)
    coarse = values[random.integers(0, 4, (6, 8))].repeat(4, 0).repeat(4, 1)[: size[0], : size[1]]
    noise = random.random(size) < 0.2
    return np.where(noise, values[random.integers(0, 4, size)], coarse).astype(np.uint8)


def flood_filled(labels: Labels) -> NDArray[np.int64]:
    """Number the regions in the order of their first pixels, pixel by pixel."""
    numbers = np.full(labels.shape, -1)
    for start in np.ndindex(labels.shape):
        if numbers[start] >= 0:
            continue
        number, todo = numbers.max() + 1, [start]
        while todo:
            y, x = todo.pop()
            inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
            if inside and numbers[y, x] < 0 and labels[y, x] == labels[start]:
                numbers[y, x] = number
                todo += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return numbers


@pytest.mark.browser
@pytest.mark.parametrize("seed", range(4))
def test_regions_equal_those_of_a_flood_fill(scripts: Page, seed: int) -> None:
    labels = blobs(seed)
    confidence = np.random.default_rng(seed).integers(0, 256, labels.shape, np.uint8)
    found: dict[str, Any] = scripts.evaluate(
        "(given) => { const { ids, regions } = regionsOf(segmentationOf(given));"
        " return { ids: [...ids], regions }; }",
        segmentation(labels, confidence, 3),
    )
    expected = flood_filled(labels)
    assert np.array_equal(np.reshape(found["ids"], labels.shape), expected)
    for number, region in enumerate(found["regions"]):
        rows, columns = np.nonzero(expected == number)
        assert region["label"] == labels[rows[0], columns[0]]
        assert region["pixels"] == rows.size
        assert region["confidence"] == pytest.approx(confidence[rows, columns].mean() / 255)
        box = [region[side] for side in ("left", "top", "right", "bottom")]
        assert box == [columns.min(), rows.min(), columns.max(), rows.max()]


@pytest.mark.browser
@pytest.mark.parametrize("seed", range(3))
def test_an_outline_lies_on_the_edges_of_the_pixels_of_a_region(scripts: Page, seed: int) -> None:
    labels = blobs(seed)
    numbers = flood_filled(labels)
    # A path cannot be read, so its parts are recorded as they are added.
    segments: list[list[list[int]]] = scripts.evaluate(
        """(given) => {
          const { ids, regions } = regionsOf(segmentationOf(given));
          const paths = [];
          window.Path2D = class {
            lines = [];
            constructor() { paths.push(this.lines); }
            moveTo(x, y) { this.from = [x, y]; }
            lineTo(x, y) { this.lines.push([...this.from, x, y]); }
          };
          regions.forEach((region, number) => outlineOf(ids, given.width, number, region));
          return paths;
        }""",
        segmentation(labels, None, 3),
    )
    assert len(segments) == numbers.max() + 1
    for number, lines in enumerate(segments):
        inside = np.pad(numbers == number, 1)
        edges = (inside[1:] != inside[:-1]).sum() + (inside[:, 1:] != inside[:, :-1]).sum()
        assert sum(abs(x1 - x0) + abs(y1 - y0) for x0, y0, x1, y1 in lines) == edges
        for x0, y0, x1, y1 in lines:
            for x in range(x0, x1):
                assert inside[y0, x + 1] != inside[y0 + 1, x + 1]
            for y in range(y0, y1):
                assert inside[y + 1, x0] != inside[y + 1, x0 + 1]


@pytest.mark.browser
def test_the_legend_lists_classes_by_area_with_their_mean_confidence(scripts: Page) -> None:
    labels = np.array([[2, 2, 2, 0], [0, 2, VOID, VOID]], np.uint8)
    confidence = np.array([[51, 102, 153, 255], [0, 204, 9, 9]], np.uint8)
    found = scripts.evaluate(
        "(given) => classesFound(segmentationOf(given))", segmentation(labels, confidence, 3)
    )
    assert [(each["name"], each["share"]) for each in found] == [
        ("class 2", 0.5),
        ("class 0", 0.25),
    ]
    assert found[0]["confidence"] == pytest.approx((51 + 102 + 153 + 204) / 4 / 255)
    assert found[1]["confidence"] == pytest.approx(0.5)


@pytest.mark.browser
def test_agreement_compares_classes_by_name(scripts: Page) -> None:
    first = segmentation(np.array([[0, 1, 2, VOID]], np.uint8), None, 3)
    second = segmentation(np.array([[2, 1, 0, VOID]], np.uint8), None, 3)
    second["classes"].reverse()
    third = segmentation(np.array([[2, 1, 1, 3]], np.uint8), None, 2)
    agreements = scripts.evaluate(
        "([one, ...others]) => others.map((other) =>"
        " agreementOf(segmentationOf(one), segmentationOf(other)))",
        [first, second, third],
    )
    # Label 2 of the third is void, as its 3 is, because it has two classes.
    assert agreements == [1.0, 0.5]
