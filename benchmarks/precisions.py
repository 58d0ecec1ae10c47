"""Runtimes and precisions on this processor: what each costs in mIoU, and whether it pays.

    python benchmarks/precisions.py MODEL DATA

exports the model to ONNX in fp32 and in int8, scores each form on the validation images of the data
set, and times whole predictions in turn, image by image, so that a machine that slows down slows
all. It prints a table in Markdown. A form is recommended if it loses at most half a point of mIoU
against PyTorch in fp32, and is faster than fp32 in the same runtime.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from machine import commit, machine
from sceneparse import factory
from sceneparse.errors import InputError
from sceneparse.exporters.int8_gate import MAX_POINTS
from sceneparse.factory.data import find_data
from sceneparse.factory.loading import load
from sceneparse.factory.model_files import weights_file
from sceneparse.system.processor import processor
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.export import export

TIMED_IMAGES = 40
WARM_UP_IMAGES = 2
RUNTIMES = ("torch", "onnxruntime", "openvino")


@dataclass
class Form:
    """A model in a runtime and a precision.

    Attributes:
        runtime: What computes it.
        precision: In what.
        file: Its file.
        size: Bytes of the file.
        miou: mIoU in 0..1.
        images: Images that it was scored on.
        seconds: Time of each prediction.
    """

    runtime: str
    precision: str
    file: str
    size: int
    miou: float = 0.0
    images: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def wanted(self) -> str:
        """The runtime and the precision, as `load` takes them."""
        # ONNX Runtime computes in the precision of the file.
        return self.runtime if self.runtime == "onnxruntime" else f"{self.runtime}:{self.precision}"

    @property
    def milliseconds(self) -> float:
        """Median time of a prediction."""
        return 1000 * statistics.median(self.seconds)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a run folder, a weights file, or `bundled`")
    parser.add_argument("data", type=Path, help="a data set with training and validation images")
    parser.add_argument("--int8", type=Path, help="its int8 file, if it was exported before")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        forms = forms_of(arguments.model, arguments.data, arguments.int8, Path(folder))
        measure_times(forms, arguments.data)
        for form in forms:
            report = evaluate(form.file, data=arguments.data, device="cpu", runtime=form.wanted)
            form.miou, form.images = report.scores.miou, report.images
            print(f"{form.wanted}: mIoU {form.miou:.4f}, {form.milliseconds:.0f} ms", flush=True)
    print(table(forms, str(load(arguments.model, "cpu"))))


def forms_of(model: str, data: Path, int8: Path | None, folder: Path) -> list[Form]:
    """List the forms of a model that this processor computes, and write their files."""
    with weights_file(model) as path:
        size = path.stat().st_size
    fp32 = export(model, out=folder / "fp32.onnx")
    forms = [Form("torch", "fp32", model, size)]
    forms += [Form(runtime, "fp32", str(fp32.path), fp32.size) for runtime in RUNTIMES[1:]]
    if processor().has_bf16:
        forms.append(Form("torch", "bf16", model, size))
        forms.append(Form("openvino", "bf16", str(fp32.path), fp32.size))
    if int8 is None:
        int8 = folder / "int8.onnx"
        try:
            print(export(model, out=int8, precision="int8", images=data))
        except InputError as refused:
            print(refused)
    if int8.is_file():
        size = int8.stat().st_size
        forms += [Form(runtime, "int8", str(int8), size) for runtime in RUNTIMES[1:]]
    return sorted(forms, key=lambda form: RUNTIMES.index(form.runtime))


def measure_times(forms: list[Form], data: Path) -> None:
    """Predict some validation images with each form in turn."""
    predictors = [load(form.file, "cpu", runtime=form.wanted) for form in forms]
    dataset = factory.dataset(find_data(data), "validation")
    count = min(TIMED_IMAGES, len(dataset))
    for number in range(-WARM_UP_IMAGES, count):
        image = dataset[max(number, 0) * len(dataset) // count].image
        for form, predictor in zip(forms, predictors, strict=True):
            start = time.perf_counter()
            predictor.segment(image)
            if number >= 0:
                form.seconds.append(time.perf_counter() - start)


def table(forms: list[Form], inference: str) -> str:
    """Write the table, and what was measured where."""
    fp32 = {form.runtime: form for form in forms if form.precision == "fp32"}
    lines = [
        "| Runtime | Precision | ms per image | × fp32 | MB | mIoU | points lost | Recommended |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for form in forms:
        speed = fp32[form.runtime].milliseconds / form.milliseconds
        lost = 100 * (fp32["torch"].miou - form.miou)
        pays = lost <= MAX_POINTS and (form.precision == "fp32" or speed > 1)
        lines.append(
            f"| {form.runtime} | {form.precision} | {form.milliseconds:.0f} | {speed:.2f} | "
            f"{form.size / 1e6:.1f} | {form.miou:.4f} | {lost:+.2f} | {'yes' if pays else 'no'} |"
        )
    facts = machine()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in RUNTIMES)
    lines += [
        "",
        f"Whole predictions, {inference}; median of {len(forms[0].seconds)} images in turn; mIoU "
        f"on {forms[0].images} images. {facts['processor']} ({', '.join(facts['instructions'])}), "
        f"{facts['cores']} cores, {versions}, commit {commit()}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
