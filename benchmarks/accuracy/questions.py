"""The changes to `configs/ade20k/ablation.yaml` that `what_helps.py` measures.

Each question groups changes. They run in this order: first those that were expected to matter most
with few images. Label smoothing, gradient clipping and stronger colour changes are left out,
because little was expected of them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A change to the base config.

    Attributes:
        name: Name of its runs.
        text: What it changes.
        overrides: Overrides of the base config.
        trains: Whether the change needs a training run; else the trained base is scored again.
    """

    name: str
    text: str
    overrides: tuple[str, ...]
    trains: bool = True


@dataclass(frozen=True)
class Question:
    """A question, and the changes that answer it."""

    text: str
    changes: tuple[Change, ...]


BASE = Change("base", "nothing", ())

_WEIGHTS = "{{kind: {}, power: {}, min: {}, max: {}}}"
_BASE_WEIGHTS = _WEIGHTS.format("median_frequency", 0.35, 0.35, 3.0)


def _with_half(kind: str) -> str:
    cross_entropy = f"{{kind: cross_entropy, class_weights: {_BASE_WEIGHTS}}}"
    return f"loss={{kind: sum, terms: [{cross_entropy}, {{kind: {kind}, weight: 0.5}}]}}"


QUESTIONS = (
    Question(
        "Which class weights should the loss have?",
        (
            Change("no_weights", "none", ("loss.class_weights=null",)),
            Change(
                "share_weights",
                "by shares of all pixels, as strong",
                ("loss.class_weights=" + _WEIGHTS.format("median_share", 0.35, 0.35, 3.0),),
            ),
            Change(
                "more_weights",
                "by shares of all pixels, to the power 0.6, clipped to 0.2..8",
                ("loss.class_weights=" + _WEIGHTS.format("median_share", 0.6, 0.2, 8.0),),
            ),
        ),
    ),
    Question(
        "Should training show rare classes more often?",
        (
            Change("balanced", "class-balanced sampling", ("sampling.kind=class_balanced",)),
            Change("classmix", "ClassMix with probability 0.5", ("transform.classmix=0.5",)),
            Change(
                "copy_paste",
                "copy-paste of rare classes with probability 0.5",
                ("transform.copy_paste=0.5",),
            ),
        ),
    ),
    Question(
        "Does a larger or a frozen encoder help?",
        (
            Change("lite2", "EfficientNet-Lite2", ("model.encoder=tf_efficientnet_lite2",)),
            Change(
                "fixed_norm",
                "frozen batch norm statistics",
                ("model.freeze_norm=true",),
            ),
            Change(
                "frozen",
                "frozen encoder",
                ("model.freeze_norm=true", "model.freeze_stages=5"),
            ),
        ),
    ),
    Question(
        "Which augmentation helps?",
        (
            Change(
                "whole",
                "whole images, flipped",
                ("transform={size: 128, mask_stride: 2, flip: 0.5}",),
            ),
            Change(
                "scale",
                "crops of images at 0.5 to 2 times the size",
                (
                    "transform.crop=1",
                    "transform.aspect=1",
                    "transform.scale=[0.5, 2]",
                    "transform.class_share=0.75",
                ),
            ),
            Change(
                "zoom",
                "crops of images at 1.25 to 2.5 times the size, scored at 224",
                (
                    "transform.crop=1",
                    "transform.scale=[1.25, 2.5]",
                    "inference.size=224",
                ),
            ),
        ),
    ),
    Question(
        "Does another loss help?",
        (
            Change("lovasz", "plus 0.5 times Lovász-softmax", (_with_half("lovasz"),)),
            Change("dice", "plus 0.5 times Dice", (_with_half("dice"),)),
            Change(
                "generalised_dice",
                "plus 0.5 times generalised Dice",
                (_with_half("generalised_dice"),),
            ),
            Change(
                "focal",
                "focal loss in place of cross-entropy",
                (f"loss={{kind: focal, class_weights: {_BASE_WEIGHTS}}}",),
            ),
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
                "logits at stride 4, from 128 channels and the 192 of stride 8",
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
        "Are batch size, weight decay, schedule and EMA right?",
        (
            Change("small_batch", "batches of 8", ("training.batch_size=8",)),
            Change("decay", "ten times the weight decay", ("optimizer.weight_decay=0.2",)),
            Change(
                "poly", "a learning rate that falls from the first step", ("schedule={kind: poly}",)
            ),
            Change("no_ema", "no EMA", ("training.ema=null",)),
        ),
    ),
    Question(
        "Are larger images with fewer epochs better?",
        (
            Change(
                "large",
                "192 pixels, 22 epochs",
                ("transform.size=192", "training.epochs=22", "inference.size=224"),
            ),
            Change(
                "growing",
                "progressive resizing from 96 to 160 pixels in 0.6 of the epochs",
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
        "Is a mask at stride 2 enough for the loss?",
        (Change("whole_mask", "mask at stride 1", ("transform.mask_stride=1",)),),
    ),
    Question(
        "Does test-time augmentation help?",
        (
            Change("flip", "flip", ("inference.flip=true",), trains=False),
            Change(
                "views",
                "three sizes with flip",
                ("inference.scales=[0.75, 1.0, 1.25]", "inference.flip=true"),
                trains=False,
            ),
        ),
    ),
    Question(
        "How should inference resize images?",
        (
            Change("size_128", "stretched to the training size", ("inference.size=128",), False),
            Change("size_192", "stretched to a larger size", ("inference.size=192",), False),
            Change("keep_ratio", "aspect ratio kept", ("inference.resize=keep_ratio",), False),
            Change("window", "aspect ratio kept, in windows", ("inference.resize=window",), False),
        ),
    ),
    Question(
        "Does refinement at image edges help?",
        (
            Change("guided", "guided filter", ("inference.refine.kind=guided_filter",), False),
            Change("crf", "dense CRF", ("inference.refine.kind=dense_crf",), False),
        ),
    ),
)

CHANGES = {change.name: change for question in QUESTIONS for change in question.changes}
