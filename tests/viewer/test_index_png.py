"""The masks that the viewer downloads."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.viewer.scripts import load_scripts, segmentation

AS_BASE64 = """async ({ given, voidId }) => {
  const segmentation = { ...segmentationOf(given), voidId };
  const bytes = new Uint8Array(await (await indexPng(segmentation)).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}"""


@pytest.mark.browser
@pytest.mark.parametrize(
    ("classes", "void_id", "mode"), [(5, None, "L"), (5, 0, "L"), (5, 300, "I;16"), (90, 0, "I;16")]
)
def test_a_mask_holds_the_ids_of_the_data_set(
    page: Page, classes: int, void_id: int | None, mode: str
) -> None:
    load_scripts(page, "index_png.js")
    labels = np.random.default_rng(0).integers(0, classes + 1, (13, 17)).astype(np.uint8)
    labels[labels == classes] = 255
    given = segmentation(labels, None, classes)
    content = base64.b64decode(page.evaluate(AS_BASE64, {"given": given, "voidId": void_id}))
    with Image.open(BytesIO(content)) as mask:
        assert mask.mode == mode
        found = np.asarray(mask)
    expected = np.where(
        labels == 255, 255 if void_id is None else void_id, 3 * labels.astype(int) + 1
    )
    assert np.array_equal(found, expected)
