"""Labels of the bundled model by ONNX Runtime and OpenVINO in fp32, against those of PyTorch.

The images are generated scenes in 300 odd sizes.
"""

import numpy as np

from harness import parser
from rows import Claim, make_row, report
from sceneparse.factory.loading import load
from sceneparse.scenes import draw_scene

NAME = "parity"
IMAGES = 300
MAX_SIDE = 420
MIN_AGREEMENT = 0.999


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    images = 3 if options.quick else IMAGES
    reference = load("bundled", "cpu", runtime="torch:fp32")
    others = {name: load("bundled", runtime=name) for name in ("onnxruntime", "openvino:fp32")}
    same = dict.fromkeys(others, 0)
    pixels = 0
    sides = np.random.default_rng(0).integers(1, MAX_SIDE + 1, (images, 2))
    for index, (height, width) in enumerate(sides.tolist()):
        image, _ = draw_scene(0, index, height, width)
        expected = reference.segment(image).mask
        pixels += expected.size
        for name, predictor in others.items():
            same[name] += int(np.count_nonzero(predictor.segment(image).mask == expected))
    rows = []
    for name, count in same.items():
        claim = Claim(
            benchmark=NAME,
            peer=f"PyTorch fp32, {images} sizes",
            metric=f"equal labels, {name}",
            min_ratio=MIN_AGREEMENT,
        )
        share = count / pixels
        rows.append(
            make_row(claim, "share", share, 1.0, share, repeats=images, quick=options.quick)
        )
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
