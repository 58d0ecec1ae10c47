"""The heartbeat of a run's processes: one that falls silent ends the others within a minute.

A process that is stopped, or whose machine is cut off, closes no connection, so the others would
wait for it in a collective operation. Each process therefore counts beats in the store of the run,
in a thread that runs while the process computes, draws or waits, and follows the beats of the next
process. `docs/reliability.md` has the argument.
"""

import os
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any, Self

from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage] - public

from sceneparse.system.ranks import RankInfo

BEAT_S = 1.0
# Longer than any call that keeps other Python threads from running (benchmarks/heartbeat.py), and
# short enough that all processes have ended within a minute.
SILENCE_S = 40.0
# At the end of a run, the process that keeps the store may leave this much earlier than another.
LEAVING_S = 5.0
# A launcher ends all processes when the first one ends; the one that reports the error needs a
# moment to print it.
REPORT_S = 1.0
# When a stopped process continues, one beat that the next process sent before may lie in a buffer
# of the store, and an answer with an older one in a buffer of this process.
NEW_BEATS = 3
EXIT_CODE = 2


class Heartbeat:
    """A context in which this process beats, and ends if another process is silent or lost.

    Attributes:
        store: This process's own connection to the store of the run.
        is_failure_known: Whether a process has told the others that it reports an error.
    """

    def __init__(self, store: Store, rank_info: RankInfo, *, rank_zero_keeps_store: bool) -> None:
        """Prepare to beat.

        Args:
            store: A connection to the store of the run that nothing else uses: a thread that waits
                for an answer blocks its connection.
            rank_info: The rank of this process.
            rank_zero_keeps_store: Whether the store is a part of rank zero; else the launcher has
                it.
        """
        self.store = store
        self.is_failure_known = False
        self._rank_info = rank_info
        self._rank_zero_keeps_store = rank_zero_keeps_store
        self._next = (rank_info.rank + 1) % rank_info.world_size
        self._beats_of_next = 0
        # Only time in which this process ran counts, so a process that was suspended itself does
        # not report others.
        self._silent_s = 0.0
        self._unanswered_s = 0.0
        self._watched_at = time.monotonic()
        self._was_stopped = False
        self._left = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=target.__name__, daemon=True)
            for target in (self._beat, self._watch)
        ]
        self._previous_handler: Any = None

    @property
    def reports_lost_store(self) -> bool:
        """Whether this process prints the error when the store cannot be reached.

        One on each machine does.
        """
        # Where rank zero keeps the store, another process of its machine prints it.
        is_second = self._rank_zero_keeps_store and self._rank_info.rank == 1
        return (is_second or self._rank_info.local_rank == 0) and not self._has_just_continued()

    def __enter__(self) -> Self:
        self.store.set(f"machine/{self._rank_info.rank}", socket.gethostname())
        self.store.add(f"beats/{self._rank_info.rank}", 1)
        for thread in self._threads:
            thread.start()
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and sys.platform != "win32":
            self._previous_handler = signal.signal(signal.SIGCONT, self._continued)
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        if self._previous_handler is not None and sys.platform != "win32":
            signal.signal(signal.SIGCONT, self._previous_handler)
        for thread in self._threads:
            thread.join(LEAVING_S)

    def report_failure(self) -> bool:
        """Return whether this process is the first that fails, and tell the others.

        Raises:
            RuntimeError: If the process that keeps the store is gone.
        """
        is_first = is_first_failure(self.store)
        if is_first:
            self._keep_store_alive()
        return is_first

    def _beat(self) -> None:
        """Beat, and follow the next process."""
        try:
            while not self._left.wait(BEAT_S):
                self.store.add(f"beats/{self._rank_info.rank}", 1)
                beats = self.store.add(f"beats/{self._next}", 0)
                self.is_failure_known = self.store.add("errors", 0) > 0
                if self.store.add("lost", 0):
                    self._end(is_first=False)
                self._unanswered_s = 0.0
                # A process that has not begun to beat is still starting.
                if beats != self._beats_of_next or beats == 0:
                    self._beats_of_next, self._silent_s = beats, 0.0
        except RuntimeError:
            if not self._left.wait(LEAVING_S):
                self._end(
                    f"{self._store_name} closed its connection",
                    is_first=self.reports_lost_store and not self.is_failure_known,
                )

    def _watch(self) -> None:
        """End this process if the next one, or the store, has been silent for too long."""
        while not self._left.wait(BEAT_S / 2):
            self._was_stopped |= self._has_just_continued()
            now = time.monotonic()
            elapsed = min(now - self._watched_at, BEAT_S)
            self._watched_at = now
            self._silent_s += elapsed
            self._unanswered_s += elapsed
            if self._unanswered_s > SILENCE_S:
                self._end(
                    f"{self._store_name} has been silent for {SILENCE_S:.0f} s",
                    is_first=self.reports_lost_store,
                )
            elif self._silent_s > SILENCE_S:
                self._lose_next()

    def _lose_next(self) -> None:
        """End all processes, because the next one is silent."""
        try:
            machine = self.store.get(f"machine/{self._next}").decode()
            is_first = is_first_failure(self.store)
            self.store.add("lost", 1)
        except RuntimeError:
            machine, is_first = "an unknown machine", self.reports_lost_store
        name = f"process {self._next} of {self._rank_info.world_size} on {machine}"
        self._end(f"{name} has been silent for {SILENCE_S:.0f} s", is_first=is_first)

    def _end(self, reason: str = "", *, is_first: bool) -> None:
        """End this process, whose main thread may wait for another one forever."""
        if self._left.is_set():
            return
        # What is left of the run has ended, and one of its processes has told why.
        is_first = is_first and not self._has_just_continued()
        if is_first:
            sys.stderr.write(
                f"error: {reason}: it was stopped, killed or cut off, so the run ends; its "
                "checkpoints are whole: resume the run\n"
            )
            sys.stderr.flush()
            self._keep_store_alive()
        elif self._left.wait(REPORT_S):
            return
        os._exit(EXIT_CODE)

    def _keep_store_alive(self) -> None:
        """Keep the store for a while, if it is a part of this process."""
        if self._rank_info.rank == 0 and self._rank_zero_keeps_store:
            self._left.wait(2 * BEAT_S)

    def _has_just_continued(self) -> bool:
        """Return whether this process was stopped for so long that the others have ended."""
        return self._was_stopped or time.monotonic() - self._watched_at > SILENCE_S / 2

    @property
    def _store_name(self) -> str:
        if self._rank_zero_keeps_store:
            return f"process 0 of {self._rank_info.world_size}"
        return "the process that started the run"

    def _continued(self, _number: int, _frame: FrameType | None) -> None:
        """Go on after a stop only if the run does; else nothing may be written any more."""
        beats = self._beats_of_next
        while self._beats_of_next < beats + NEW_BEATS and not self._left.is_set():
            time.sleep(BEAT_S / 10)
        self._was_stopped = False


def is_first_failure(store: Store) -> bool:
    """Count a failure in the store of the run and return whether it is the first one."""
    return store.add("errors", 1) == 1
