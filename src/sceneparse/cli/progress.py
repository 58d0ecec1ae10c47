"""Show the events of a job as progress bars and lines in a terminal."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as ProgressBars

from sceneparse.cli.output import console, console_of_stderr
from sceneparse.recording.events import (
    Callback,
    EpochEnded,
    Event,
    Message,
    Progress,
    StepEnded,
    time_left,
)

# Seconds between progress lines in output without progress bars.
LOG_EVERY_S = 60


@contextmanager
def shown_events(*, on_stderr: bool = False) -> Generator[Callback]:
    """Show events while the `with` block runs: messages as lines, progress as bars.

    Args:
        on_stderr: Whether standard output is for other things.
    """
    shown = _ShownEvents(console_of_stderr if on_stderr else console)
    with shown.bars:
        yield shown


class _ShownEvents:
    def __init__(self, console: Console) -> None:
        self.bars = ProgressBars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,  # it would end with an empty line
        )
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._logged = time.monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case Message():
                self._console.print(event.text, soft_wrap=True)
            case Progress(task, done, total):
                self._move(task, task, done, total, "" if total is None else f"{done}/{total}")
                if event.is_finished:
                    self.bars.remove_task(self._tasks.pop(task))
            case StepEnded():
                left = time_left(event.seconds_left)
                detail = f"loss {event.loss:.3f}" + (f" · {left}" if left else "")
                title = f"epoch {event.epoch}/{event.epochs}"
                self._move("training", title, event.step, event.total_steps, detail)
                self._log(event)
            case EpochEnded():
                self._console.print(str(event), soft_wrap=True)

    def _move(self, task: str, title: str, done: int, total: int | None, detail: str) -> None:
        if task not in self._tasks:
            self._tasks[task] = self.bars.add_task(title, total=total, detail=detail)
        self.bars.update(
            self._tasks[task], description=title, completed=done, total=total, detail=detail
        )

    def _log(self, event: StepEnded) -> None:
        """Print a line now and then if the output is not a terminal and shows no bars."""
        now = time.monotonic()
        if not self._console.is_terminal and now - self._logged >= LOG_EVERY_S:
            self._logged = now
            self._console.print(str(event), soft_wrap=True)
