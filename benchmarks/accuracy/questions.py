"""What is asked of a small U-Net that learns from few pictures for a short time.

Each change is laid over `configs/ade20k/ablation.yaml`, all else as it is. The order is the order
in which they are run: first what is expected to matter most at this size. Little is expected of
what is left out: schedules that all end near zero, label smoothing, dropout, clipping.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        name: Of its runs.
        words: What it is.
        overrides: Laid over the base config.
        trains: Whether a network is trained; else the one of the base is scored in another way.
    """

    name: str
    words: str
    overrides: tuple[str, ...]
    trains: bool = True


@dataclass(frozen=True)
class Question:
    """What is asked, and the changes that answer it."""

    words: str
    changes: tuple[Change, ...]


BASE = Change("base", "nothing", ())

_CROSS_ENTROPY_AND = (
    "loss={{kind: sum, terms: [{{kind: cross_entropy}}, {{kind: {}, weight: 0.5}}]}}"
)

QUESTIONS = (
    Question(
        "Should rare classes count more in the loss?",
        (
            Change(
                "weights",
                "class weights: median frequency to the power 0.35",
                (
                    "loss.class_weights={kind: median_frequency, power: 0.35, "
                    "least: 0.35, most: 3.0}",
                ),
            ),
        ),
    ),
    Question(
        "Is a loss of regions better than one of pixels alone?",
        (
            Change("dice", "and half of Dice", (_CROSS_ENTROPY_AND.format("dice"),)),
            Change("lovasz", "and half of Lovász-softmax", (_CROSS_ENTROPY_AND.format("lovasz"),)),
        ),
    ),
    Question(
        "Is a larger encoder worth its time?",
        (Change("lite2", "EfficientNet-Lite2", ("model.encoder=tf_efficientnet_lite2",)),),
    ),
    Question(
        "Are learning rate and averaging right?",
        (
            Change("faster", "twice the learning rate", ("optimizer.lr=0.006",)),
            Change("ema", "moving average of the weights", ("training.ema=0.99",)),
        ),
    ),
    Question(
        "Which changes of pictures are worth learning from in so few epochs?",
        (
            Change(
                "whole",
                "whole pictures, mirrored only",
                ("transform={size: 192, mask_stride: 2, flip: 0.5}",),
            ),
            Change(
                "scale",
                "squares out of pictures at half to twice the size",
                (
                    "transform.crop=1",
                    "transform.aspect=1",
                    "transform.scale=[0.5, 2]",
                    "transform.class_share=0.75",
                ),
            ),
            Change(
                "colours",
                "stronger colours, hue and grey",
                (
                    "transform.brightness=0.5",
                    "transform.contrast=0.5",
                    "transform.saturation=0.5",
                    "transform.hue=0.05",
                    "transform.grey=0.1",
                ),
            ),
        ),
    ),
    Question(
        "Can small pictures come first?",
        (
            Change(
                "growing",
                "from 96 to 192 pixels in the first half",
                ("transform.first_size=96", "transform.growth=0.5"),
            ),
        ),
    ),
    Question(
        "Is it enough to learn from every second pixel of the mask in each direction?",
        (Change("whole_mask", "from all pixels", ("transform.mask_stride=1",)),),
    ),
    Question(
        "Does a better decoder help?",
        (
            Change("pyramid", "pyramid pooling", ("model.pyramid_pooling=true",)),
            Change("stride_2", "logits at stride 2", ("model.output_stride=2",)),
        ),
    ),
    Question(
        "Should rare classes be seen more often?",
        (
            Change("balanced", "class-balanced sampling", ("sampling.kind=class_balanced",)),
            Change(
                "mixing",
                "ClassMix and rare classes pasted, a quarter each",
                ("transform.classmix=0.25", "transform.copy_paste=0.25"),
            ),
        ),
    ),
    Question(
        "Is it worth looking at a picture several times?",
        (
            Change("flip", "mirrored too", ("inference.flip=true",), trains=False),
            Change(
                "views",
                "three sizes, each mirrored too",
                ("inference.scales=[0.75, 1.0, 1.25]", "inference.flip=true"),
                trains=False,
            ),
        ),
    ),
    Question(
        "How should a picture be sized for the network?",
        (
            Change("size_192", "squashed to the size of training", ("inference.size=192",), False),
            Change("size_256", "squashed to more", ("inference.size=256",), False),
            Change("keep_ratio", "ratio of sides kept", ("inference.resize=keep_ratio",), False),
            Change("window", "ratio kept, in squares", ("inference.resize=window",), False),
        ),
    ),
    Question(
        "Do the edges of the photo improve the answer?",
        (
            Change("guided", "guided filter", ("inference.refine.kind=guided_filter",), False),
            Change("crf", "dense CRF", ("inference.refine.kind=dense_crf",), False),
        ),
    ),
)

CHANGES = {change.name: change for question in QUESTIONS for change in question.changes}
