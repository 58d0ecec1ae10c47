"""Memory of one image of 12,000×9,000 pixels: the whole process, image and result included."""

import json
import subprocess
import sys

from harness import parser
from rows import Claim, make_row, report

NAME = "large"
LIMIT_MB = 2000
SCRIPT = """
import json, resource, sys, time
import numpy as np
import sceneparse

height, width = json.loads(sys.argv[1])
image = np.zeros((height, width, 3), np.uint8)
image[::7, ::5] = 255
predictor = sceneparse.load(overrides=json.loads(sys.argv[2]))
start = time.perf_counter()
prediction = predictor.segment(image)
assert prediction.mask.shape == prediction.confidence.shape == image.shape[:2]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps([peak, time.perf_counter() - start]))
"""
SETTINGS = {
    "stretched": [],
    "ratio kept": ["inference.resize=keep_ratio"],
    "windows": ["inference.resize=window", "inference.scales=[4.0]", "inference.flip=false"],
}


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    size = [450, 600] if options.quick else [9000, 12000]
    rows = []
    for name, overrides in SETTINGS.items():
        command = [sys.executable, "-c", SCRIPT, json.dumps(size), json.dumps(overrides)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak_mb, seconds = json.loads(done.stdout.splitlines()[-1])
        claim = Claim(
            benchmark=NAME,
            peer=f"a limit of {LIMIT_MB} MB",
            metric=f"memory, {name}",
            min_ratio=1,
            note=f"{seconds:.0f} s",
        )
        rows.append(
            make_row(claim, "MB", peak_mb, LIMIT_MB, LIMIT_MB / peak_mb, quick=options.quick)
        )
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
