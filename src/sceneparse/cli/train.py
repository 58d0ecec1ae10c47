"""`train`, `replay` and `demo`."""

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.arguments import path_argument, path_option
from sceneparse.cli.output import console, scores_table
from sceneparse.cli.progress import shown_events
from sceneparse.system.ranks import find_rank_info


def train(
    config: Annotated[Path, path_argument("Config of the run (YAML); see configs/.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Overrides: section.field=value.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        path_option(
            "Run folder.", show_default="runs/NAME; runs/FOLDER-NAME for a config below configs/"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the folder's checkpoint.")
    ] = False,
    requeue: Annotated[
        bool,
        typer.Option(
            "--requeue",
            help="In SLURM: at the SIGUSR1 warning, save, requeue the job, and resume when it "
            "restarts.",
        ),
    ] = False,
) -> None:
    """Train a network; write weights, scores, curves and drawings to a run folder.

    Under `torchrun -m sceneparse train` or `srun`, all processes share each step.
    """
    from sceneparse.config.reading import read_config

    rank_info = find_rank_info()
    with ExitStack() as stack:
        if rank_info.world_size > 1:
            from sceneparse.training.distributed import process_group

            # In a process group, only one process reports a mistake in the config.
            stack.enter_context(process_group(rank_info))
        settings = read_config(config, overrides or [])
        from sceneparse.tasks.launching import processes_to_start, run_processes

        count = processes_to_start(settings.training)
        if count > 1:
            raise typer.Exit(run_processes(count, sys.argv[1:]))
        from sceneparse.tasks.train import default_folder
        from sceneparse.tasks.train import train as train_run

        callback = stack.enter_context(shown_events())
        folder = out or default_folder(config)
        run = train_run(settings, out=folder, resume=resume, requeue=requeue, callback=callback)
    if run.is_requeued:
        raise typer.Exit(128 + run.stopped_by)
    if not run.is_finished:
        command = shlex.join(["sceneparse", *sys.argv[1:], *([] if resume else ["--resume"])])
        console.print(f"stopped; the state is saved. Resume with:\n  {command}", soft_wrap=True)
        raise typer.Exit(128 + run.stopped_by)
    console.print(
        f"kept the weights of epoch {run.best_epoch}, validation mIoU {run.best_miou:.4f} "
        f"({run.resize}): {run.weights}",
        soft_wrap=True,
    )


def demo(
    data: Annotated[
        Path | None,
        path_option(
            "A data set in the layout of ADEChallengeData2016.", show_default="generated scenes"
        ),
    ] = None,
    out: Annotated[Path, path_option("Folder for everything that the demo writes.")] = Path("demo"),
) -> None:
    """Draw scenes, fine-tune the bundled model on them, evaluate and predict: a few minutes."""
    from sceneparse.tasks.demo import demo as run_demo

    with shown_events() as callback:
        report = run_demo(data, out, callback)
    console.print(scores_table(report))
    run = out / "run"
    for path, what in (
        (run / "model_progress.gif", "predictions over the epochs, as an animation"),
        (run / "predictions_final.png", "image, ground truth and prediction"),
        (run / "training_history.png", "loss, IoU, accuracy and learning rate"),
        (out / "predictions", "label maps in the ids of the data set, coloured maps, overlays"),
        (run / "scores.json", "scores, per class too"),
        (out / "plan.yaml", "the config, with a reason beside each field"),
    ):
        console.print(f"{path}: {what}", soft_wrap=True)
    console.print("Next, with your own images:", style="bold")
    console.print(f"  sceneparse predict IMAGES --model {run} --out predictions", soft_wrap=True)
    console.print("  sceneparse plan FOLDER --hours 0.1      # a folder of images and masks")


def replay(
    file: Annotated[Path, path_argument("A file nonfinite/step_N.json of a run folder.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Overrides of the run's config: section.field=value.", show_default=False
        ),
    ] = None,
) -> None:
    """Recompute in fp32 a training step that was not finite; name the module where it begins."""
    from sceneparse.tasks.replay import replay as replay_step

    sys.stdout.write(f"{replay_step(file, overrides=overrides or [])}\n")
