"""What is asked of a small U-Net that learns from few images for a short time.

Each change is laid over `configs/ade20k/ablation.yaml`, all else as it is. The order is the order
in which they are run: first what is expected to matter most where images are few. Little is
expected of what is left out: label smoothing, clipping, stronger colours.
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

_WEIGHTS = "{{kind: {}, power: {}, min: {}, max: {}}}"
_USUAL = _WEIGHTS.format("median_frequency", 0.35, 0.35, 3.0)


def _and(kind: str) -> str:
    ours = f"{{kind: cross_entropy, class_weights: {_USUAL}}}"
    return f"loss={{kind: sum, terms: [{ours}, {{kind: {kind}, weight: 0.5}}]}}"


QUESTIONS = (
    Question(
        "How much more should rare classes count in the loss?",
        (
            Change("no_weights", "as much as all others", ("loss.class_weights=null",)),
            Change(
                "share_weights",
                "by shares of all pixels, as much",
                ("loss.class_weights=" + _WEIGHTS.format("median_share", 0.35, 0.35, 3.0),),
            ),
            Change(
                "more_weights",
                "by shares of all pixels, to the power 0.6, within 0.2 to 8",
                ("loss.class_weights=" + _WEIGHTS.format("median_share", 0.6, 0.2, 8.0),),
            ),
        ),
    ),
    Question(
        "Should rare classes be seen more often?",
        (
            Change("balanced", "class-balanced sampling", ("sampling.kind=class_balanced",)),
            Change("classmix", "ClassMix, half the time", ("transform.classmix=0.5",)),
            Change(
                "copy_paste", "rare classes pasted, half the time", ("transform.copy_paste=0.5",)
            ),
        ),
    ),
    Question(
        "Is a larger encoder worth its time, and should it stay as ImageNet made it?",
        (
            Change("lite2", "EfficientNet-Lite2", ("model.encoder=tf_efficientnet_lite2",)),
            Change(
                "fixed_norm",
                "its batch norms keep the statistics of ImageNet",
                ("model.freeze_norm=true",),
            ),
            Change(
                "frozen",
                "all of it stays; the decoder alone learns",
                ("model.freeze_norm=true", "model.freeze_stages=5"),
            ),
        ),
    ),
    Question(
        "Which changes of images are worth learning from?",
        (
            Change(
                "whole",
                "whole images, mirrored only",
                ("transform={size: 128, mask_stride: 2, flip: 0.5}",),
            ),
            Change(
                "scale",
                "squares out of images at half to twice the size",
                (
                    "transform.crop=1",
                    "transform.aspect=1",
                    "transform.scale=[0.5, 2]",
                    "transform.class_share=0.75",
                ),
            ),
            Change(
                "zoom",
                "squares out of images at 1.25 to 2.5 times the size, also scored larger",
                (
                    "transform.crop=1",
                    "transform.scale=[1.25, 2.5]",
                    "inference.size=224",
                ),
            ),
        ),
    ),
    Question(
        "Is a loss of regions better than one of pixels alone?",
        (
            Change("lovasz", "and half of Lovász-softmax", (_and("lovasz"),)),
            Change("dice", "and half of Dice", (_and("dice"),)),
        ),
    ),
    Question(
        "Does a better decoder help?",
        (
            Change("stride_2", "logits at stride 2", ("model.output_stride=2",)),
            Change(
                "stride_8",
                "logits at stride 8, 192 channels before the head",
                ("model.output_stride=8", "model.decoder_channels=[160, 192]"),
            ),
            Change(
                "wide", "128 channels before the head", ("model.decoder_channels=[128, 96, 128]",)
            ),
            Change(
                "levels",
                "logits at stride 4 from 128 channels, and from the 192 at stride 8",
                ("model.decoder_channels=[160, 192, 128]", "model.head_levels=2"),
            ),
            Change(
                "separable",
                "separable convolutions, 256 channels before the head",
                ("model.block=separable", "model.decoder_channels=[192, 160, 256]"),
            ),
        ),
    ),
    Question(
        "Are batch, decay, schedule and average right?",
        (
            Change("small_batch", "batches of 8", ("training.batch_size=8",)),
            Change("decay", "ten times the weight decay", ("optimizer.weight_decay=0.2",)),
            Change("poly", "a rate that falls from the first step on", ("schedule={kind: poly}",)),
            Change("no_ema", "no moving average of the weights", ("training.ema=null",)),
        ),
    ),
    Question(
        "Few pixels often, or more of them less often?",
        (
            Change(
                "large",
                "192 pixels, 22 epochs",
                ("transform.size=192", "training.epochs=22", "inference.size=224"),
            ),
            Change(
                "growing",
                "from 96 to 160 pixels in the first 0.6",
                (
                    "transform.progressive_resizing.start_size=96",
                    "transform.size=160",
                    "transform.progressive_resizing.share=0.6",
                    "inference.size=192",
                ),
            ),
        ),
    ),
    Question(
        "Is it enough to learn from every second pixel of the mask in each direction?",
        (Change("whole_mask", "from all pixels", ("transform.mask_stride=1",)),),
    ),
    Question(
        "Is it worth looking at an image several times?",
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
        "How should an image be sized for the network?",
        (
            Change("size_128", "stretched to the size of training", ("inference.size=128",), False),
            Change("size_192", "stretched to more", ("inference.size=192",), False),
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
