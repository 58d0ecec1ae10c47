"""What to change where training waits for data: a function of the figures alone."""

from sceneparse.runs.data_figures import DataFigures, Stage

# A remedy is named where what it spares is at least so much of the loader's work.
LARGE_SHARE = 0.3
# And where it makes the loader at least so many times faster.
WORTHWHILE = 1.2
# Times more pixels are stored than are needed, from where a smaller copy is the better remedy.
FAR_LARGER = 8


def advice(figures: DataFigures) -> list[str]:
    """Say whether training waits for data and what would help, with the figures that show it."""
    lines = [_verdict(figures)]
    if not figures.is_slowed:
        return lines
    rules = (_more_threads, _decode_once, _draw_once, _nearer_files, _fewer_colors)
    return [*lines, *([line for rule in rules if (line := rule(figures))] or [_no_remedy(figures)])]


def _verdict(figures: DataFigures) -> str:
    start = f"Training waits for data {figures.waiting:.0%} of the time"
    alone, together = _rate(figures.step), _rate(figures.training)
    if not figures.is_slowed:
        can = _rate(figures.loader[figures.run.threads])
        return f"{start}: nothing to gain. The loader can give {can}; training takes {together}."
    if figures.waits:
        return f"{start}: it comes to {together} instead of the {alone} of the step alone."
    return (
        f"{start}, but its steps are slower while the loader works beside them: {together} "
        f"instead of {alone}. What spares the loader work helps."
    )


def _more_threads(figures: DataFigures) -> str:
    now = figures.loader[figures.run.threads]
    # Up to what the step can take, with a little to spare.
    enough = min(0.95 * max(figures.loader.values()), WORTHWHILE * figures.step)
    threads = min(number for number, rate in figures.loader.items() if rate >= enough)
    then = figures.loader[threads]
    if not figures.waits or threads <= figures.run.threads or then < WORTHWHILE * now:
        return ""
    return (
        f"training.threads={threads}: the loader gives {_rate(then)} "
        f"instead of {_rate(now)} with {figures.run.threads}."
    )


def _decode_once(figures: DataFigures) -> str:
    stages = figures.stages
    decoding = stages.share(Stage.IMAGE, Stage.MASK)
    if not figures.run.from_files or decoding < LARGE_SHARE:
        return ""
    start = f"Decoding takes {decoding:.0%} of the loader's work"
    (height, width), side = stages.source_size, figures.run.needed_side
    if height * width >= FAR_LARGER * side**2:
        return (
            f"{start}, and pictures of {width}×{height} pixels are far larger than the "
            f"{side} that their shorter side needs: "
            f"`{figures.run.remedy} --to FOLDER --short-side {side}` stores them smaller; "
            "then train with data.cache=FOLDER."
        )
    gain = stages.total / stages.once_decoded
    if gain < WORTHWHILE:
        return ""
    return (
        f"{start}: `{figures.run.remedy}` does it once, "
        f"which makes the loader about {gain:.1f} times faster."
    )


def _draw_once(figures: DataFigures) -> str:
    drawing = figures.stages.share(Stage.DRAW)
    if drawing < LARGE_SHARE:
        return ""
    return (
        f"Drawing scenes takes {drawing:.0%} of the loader's work: `{figures.run.remedy}` draws "
        "them once; then train with data.kind=ade20k data.root=FOLDER."
    )


def _nearer_files(figures: DataFigures) -> str:
    reading = figures.stages.share(Stage.READ)
    if reading < LARGE_SHARE:
        return ""
    return (
        f"Reading the files takes {reading:.0%} of the loader's work, "
        f"{1000 * figures.stages.seconds[Stage.READ]:.1f} ms per picture: "
        "copy them to a faster or nearer disk."
    )


def _fewer_colors(figures: DataFigures) -> str:
    colors = figures.stages.share(Stage.COLORS)
    if colors < LARGE_SHARE:
        return ""
    return (
        f"Changing colours takes {colors:.0%} of the loader's work: each of transform.brightness, "
        "contrast, saturation and hue that is 0 is spared."
    )


def _no_remedy(figures: DataFigures) -> str:
    largest = max(figures.stages.seconds, key=lambda stage: figures.stages.seconds[stage])
    return (
        f"No setting would change much: the largest stage, to {largest}, takes "
        f"{figures.stages.share(largest):.0%} of the loader's work. "
        "More processor cores would help, or a smaller transform.size."
    )


def _rate(pictures_per_s: float) -> str:
    return f"{pictures_per_s:,.{0 if pictures_per_s >= 10 else 1}f} pictures/s"
