"""The card of a model on the Hugging Face Hub: its README.md, with metadata in front."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sceneparse.config import RunConfig
from sceneparse.config.reading import config_yaml
from sceneparse.labels import Labels

CARD_FILE = "README.md"
# Classes that a list of the best or of the worst names.
_LISTED = 10
# Below this IoU, more pixels are wrong than right by far.
_WEAK_IOU = 0.2


@dataclass(frozen=True)
class CardLicense:
    """The terms of a model.

    Attributes:
        identifier: Identifier of a licence on the Hub; `other` for any other terms.
        terms: The terms in words; empty if the identifier says all.
    """

    identifier: str
    terms: str = ""


@dataclass(frozen=True)
class CardScore:
    """One score.

    Attributes:
        name: Its name.
        identifier: Its name in the metadata.
        value: In 0..1.
        interval: Its 95 % bootstrap confidence interval; none if it was not computed.
    """

    name: str
    identifier: str
    value: float
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        """Write it with its interval."""
        bounds = self.interval
        return f"{self.value:.4f}" + (f" ({bounds[0]:.4f} to {bounds[1]:.4f})" if bounds else "")


@dataclass(frozen=True)
class CardScores:
    """The scores of a model.

    Attributes:
        scores: mIoU and others.
        split: The split of the data set; empty if it is not known.
        iou: IoU of the classes that occur, by name; empty if it is not known.
        origin: Where the scores come from, as a sentence.
    """

    scores: tuple[CardScore, ...]
    split: str
    iou: dict[str, float]
    origin: str


@dataclass(frozen=True)
class CardFacts:
    """What a card says of a model.

    Attributes:
        repo: Owner and name of its repository.
        config: The config of its run, without paths of a machine.
        labels: Its classes.
        parameters: Number of its parameters.
        license: Its terms.
        data_name: Name of the data that it was trained on.
        data: The same in words, with numbers.
        datasets: Data sets on the Hub that it was trained on.
        recipe: How it was trained: names and values.
        scores: Its scores; none if there are none.
        files: What each file of the repository is, by name.
        preview: File of an example; none without one.
        preview_text: What the example shows.
        demo: File of the page that runs the model in a browser; none without one.
        own_card: A card that was written by hand, which replaces data, recipe and limits.
    """

    repo: str
    config: RunConfig
    labels: Labels
    parameters: int
    license: CardLicense
    data_name: str
    data: str
    datasets: tuple[str, ...]
    recipe: dict[str, str]
    scores: CardScores | None
    files: dict[str, str]
    preview: str | None = None
    preview_text: str = ""
    demo: str | None = None
    own_card: str | None = None

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.repo.partition("/")[2]


def model_card(facts: CardFacts) -> str:
    """Write the card, in Markdown with metadata in YAML."""
    sections = [
        f"---\n{_metadata(facts)}\n---",
        f"# {facts.name}",
        f"{_network(facts)} It gives each pixel of an image one of {facts.labels.num_classes} "
        "classes. It was trained and exported with sceneparse.",
        *_example(facts),
        "## Use",
        _usage(facts),
        "## Files",
        _table(("file", "what it is"), facts.files.items()),
        "## Licence",
        _license(facts),
    ]
    if facts.own_card:
        title, _, body = facts.own_card.partition("\n")
        sections += [f"## {title.lstrip('# ')}", "(as it comes with sceneparse)", body.strip()]
        sections += ["## Scores of this upload", *_scores(facts)] if facts.scores else []
    else:
        sections += ["## Scores", *_scores(facts), "## Data", facts.data]
        sections += ["## Recipe", _table(("what", "value"), facts.recipe.items())]
        sections += ["## Limits", _limits(facts)]
    sections += [_details("Classes", ", ".join(facts.labels.class_names))]
    sections += [_details("Config", f"```yaml\n{config_yaml(facts.config).rstrip()}\n```")]
    return "\n\n".join(sections) + "\n"


def _metadata(facts: CardFacts) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    scores, split = facts.scores, facts.scores.split if facts.scores else ""
    results = [
        EvalResult(
            task_type="image-segmentation",
            task_name="Semantic segmentation",
            dataset_type=facts.datasets[0] if facts.datasets else "other",
            dataset_name=facts.data_name,
            dataset_split=split or None,
            metric_type=score.identifier,
            metric_name=score.name,
            metric_value=round(score.value, 4),
            metric_args={"interval_95": [round(bound, 4) for bound in score.interval]}
            if score.interval
            else None,
        )
        for score in (scores.scores if scores else ())
    ]
    data = ModelCardData(
        license=facts.license.identifier,
        license_name="see-card" if facts.license.identifier == "other" else None,
        library_name="sceneparse",
        pipeline_tag="image-segmentation",
        tags=["semantic-segmentation", "unet", "onnx", "safetensors"],
        datasets=list(facts.datasets) or None,
        metrics=[score.identifier for score in scores.scores] if scores else None,
        model_name=facts.name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml().strip()


def _network(facts: CardFacts) -> str:
    return (
        f"A network for semantic segmentation: {facts.config.model}, with "
        f"{facts.parameters / 1e6:.2f} million parameters."
    )


def _example(facts: CardFacts) -> Iterator[str]:
    if facts.preview:
        yield f"![{facts.preview_text}]({facts.preview})"
        yield f"{facts.preview_text}."
    if facts.demo:
        url = f"https://huggingface.co/{facts.repo}/resolve/main/{facts.demo}?download=true"
        yield (
            f"**Try it:** download [`{facts.demo}`]({url}) and open it in a browser. The page runs "
            "the model on your machine; your images stay there."
        )


def _usage(facts: CardFacts) -> str:
    address = f"hf://{facts.repo}"
    bands = facts.config.bands
    pixels = "RGB pixels" if bands is None else f"pixels of the bands {', '.join(map(str, bands))}"
    return f"""Install sceneparse with the extras `hub` and `runtime`, or `train` to fine-tune:

```sh
sceneparse predict image.jpg --model {address} --out predictions
sceneparse evaluate {address} --data mydata
sceneparse train mydata.yaml model.weights={address}
```

```python
import sceneparse

prediction = sceneparse.load("{address}")("image.jpg")
```

`model.onnx` works without sceneparse too: it takes {pixels} of any size and gives labels."""


def _license(facts: CardFacts) -> str:
    terms = facts.license
    start = facts.config.model.weights
    lines = [terms.terms or f"`{terms.identifier}`."]
    if start == "bundled" and not facts.own_card:
        lines.append(
            "The training started from the bundled model of sceneparse, which was trained on "
            "images of ADE20K. Their licence allows only non-commercial research and education."
        )
    elif start == "imagenet":
        lines.append("The encoder started from ImageNet weights, which have terms of their own.")
    return "\n\n".join(lines)


def _scores(facts: CardFacts) -> Iterator[str]:
    scores = facts.scores
    if scores is None:
        yield "No scores are known. `sceneparse evaluate` computes them on data with masks."
        return
    yield scores.origin
    rows = [(score.name, str(score)) for score in scores.scores]
    yield _table(("score", "value (95 % bootstrap interval over images)"), rows)
    if scores.iou:
        ranked = sorted(scores.iou.items(), key=lambda item: -item[1])
        best, rest = ranked[:_LISTED], ranked[_LISTED:]
        yield f"Best classes (IoU): {_listed(best)}."
        if rest:
            yield f"Worst classes: {_listed(rest[::-1][:_LISTED])}."


def _limits(facts: CardFacts) -> str:
    lines = [
        "It knows only its classes, and gives each pixel one of them, whatever it shows.",
        "Images unlike those of its training give worse results, without a warning.",
        "Probabilities are not calibrated.",
        "It must not decide about persons, or where safety depends on it.",
    ]
    scores = facts.scores
    if scores is not None:
        weak = sum(iou < _WEAK_IOU for iou in scores.iou.values())
        if weak:
            lines.append(f"{weak} of {len(scores.iou)} classes have an IoU below {_WEAK_IOU}.")
        if scores.split == "validation":
            lines.append(
                "The validation images also chose the epoch that is kept, so that scores on new "
                "images may be lower."
            )
    return "\n".join(f"- {line}" for line in lines)


def _details(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _listed(pairs: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {iou:.2f}" for name, iou in pairs)


def _table(header: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])
