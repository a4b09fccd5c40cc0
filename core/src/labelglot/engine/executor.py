"""Run chunks somewhere. One contract; the local process pool is one implementation.

``run(function, job, chunks, cancel)`` yields one outcome per chunk, in order. The pool survives its workers: when one
dies, the chunks it may have held are run again one by one in a fresh process, halved until the sample that kills is
found and set aside.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from labelglot.errors import Cancelled, LabelglotError

T = TypeVar("T")
R = TypeVar("R")


class Cancel:
    """A token a caller can set from any thread; work stops between chunks."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """Raise :class:`Cancelled` if the token was set."""
        if self._event.is_set():
            raise Cancelled("the conversion was cancelled")


class Chunk(Protocol):
    """A piece of work that can be cut in two; ``None`` if it is a single sample."""

    ordinal: int

    def __len__(self) -> int: ...
    def halves(self) -> tuple[Any, Any] | None: ...


class Poisoned(NamedTuple):
    """The outcome of a chunk of one sample that killed its worker."""

    ordinal: int
    message: str


Function = Callable[[Any, Any], Any]


class Executor(Protocol):
    """Runs ``function(job, chunk)`` for each chunk and yields the outcomes in order."""

    def run(self, function: Function, job: Any, chunks: Sequence[Any], cancel: Cancel) -> Iterator[Any]: ...


def shares_memory(executor: Executor) -> bool:
    """Whether the chunks of an executor see the same memory, are begun in order, and may wait for each other."""
    return bool(getattr(executor, "shares_memory", False))


class InProcess:
    """Runs chunks one after the other in this process."""

    shares_memory = True

    def run(self, function: Function, job: Any, chunks: Sequence[Any], cancel: Cancel) -> Iterator[Any]:
        for chunk in chunks:
            cancel.check()
            yield function(job, chunk)


_job: list[Any] = []


def _start(function: Function, job: Any, chunks: Sequence[Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _job[:] = [function, job, chunks]


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _ready() -> None:
    """Work that cannot fail: a worker that does not return from it never started."""


def _work(chunk: Any) -> Any:
    function, job, _ = _job
    return function(job, chunk)


def _work_inherited(place: int) -> Any:
    function, job, chunks = _job
    return function(job, chunks[place])


class ProcessPool:
    """Worker processes on this machine. Forked ones inherit the chunks, so that nothing but a number is sent to them."""

    def __init__(self, workers: int) -> None:
        self.workers = max(1, workers)

    @property
    def shares_memory(self) -> bool:
        # Spawned workers may lie dead unnoticed until another one has done its work, which must not wait for them then.
        return bool(_context().get_start_method() == "fork")

    def run(self, function: Function, job: Any, chunks: Sequence[Any], cancel: Cancel) -> Iterator[Any]:
        waiting = deque(chunks)
        context = _context()
        while waiting:
            yield from self._until_broken(context, function, job, waiting, cancel)
            if waiting:
                suspects = [waiting.popleft() for _ in range(self._window(waiting))]
                yield from self._careful(context, function, job, suspects, cancel)

    def _window(self, waiting: Sequence[Any]) -> int:
        return min(len(waiting), self.workers * 2)

    def _pool(self, workers: int, context: Any, function: Function, job: Any, chunks: Sequence[Any]) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(workers, context, _start, (function, job, chunks))

    def _until_broken(
        self, context: Any, function: Function, job: Any, waiting: deque[Any], cancel: Cancel
    ) -> Iterator[Any]:
        """Yield outcomes while workers live; chunks without an outcome stay in ``waiting``."""
        forked = context.get_start_method() == "fork"
        pool = self._pool(min(self.workers, len(waiting)), context, function, job, tuple(waiting) if forked else ())
        running: deque[tuple[Any, Future[Any]]] = deque()
        done = False
        submitted = 0
        try:
            while waiting or running:
                cancel.check()
                while waiting and len(running) < self.workers * 2:
                    work: Any = (_work_inherited, submitted) if forked else (_work, waiting[0])
                    running.append((waiting[0], _submit(pool, *work)))
                    waiting.popleft()
                    submitted += 1
                outcome = running[0][1].result()
                running.popleft()
                yield outcome
            done = True
        except BrokenProcessPool:
            waiting.extendleft(chunk for chunk, _ in reversed(running))
            done = True
        finally:
            if done:
                pool.shutdown()
            else:
                _stop(pool)

    def _careful(
        self, context: Any, function: Function, job: Any, chunks: list[Any], cancel: Cancel
    ) -> Iterator[Any]:
        for chunk in chunks:
            cancel.check()
            pool = self._pool(1, context, function, job, ())
            try:
                _begin(pool)
                yield _submit(pool, _work, chunk).result()
            except BrokenProcessPool:
                halves = chunk.halves()
                if halves is None:
                    yield Poisoned(chunk.ordinal, "the worker process died on it")
                else:
                    yield from self._careful(context, function, job, list(halves), cancel)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _each(function: Callable[[Any], Any], piece: Any) -> Any:
    return function(piece)


def forked(
    function: Callable[[T], R], pieces: Sequence[T], processes: int, meanwhile: Callable[[], object] | None = None
) -> list[R]:
    """``function`` of each piece, in processes that inherit everything, so that only results travel between them.

    In this process where that cannot be (other threads run, the system does not fork), is not wanted, or one of them
    dies. ``meanwhile``: what to do here while they work.
    """
    context = _context()
    waiting = [meanwhile] if meanwhile is not None else []
    if processes < 2 or len(pieces) < 2 or context.get_start_method() != "fork":
        for work in waiting:
            work()
        return [function(piece) for piece in pieces]
    pool = ProcessPoolExecutor(min(processes, len(pieces)), context, _start, (_each, function, pieces))
    done = False
    try:
        found = [_submit(pool, _work_inherited, place) for place in range(len(pieces))]
        while waiting:
            waiting.pop()()
        results = [future.result() for future in found]
        done = True
    except BrokenProcessPool:
        for work in waiting:
            work()
        results = [function(piece) for piece in pieces]
    finally:
        if done:
            pool.shutdown()
        else:
            _stop(pool)
    return results


class Aside(Generic[R]):
    """A function that runs in a process of its own while the caller does something else, where processes can be forked
    and it is ``worth`` one; else when the result is asked for.

    Use it with ``contextlib.closing``: whoever does not come for the result ends the work.
    """

    def __init__(self, function: Callable[[], R], worth: bool = True) -> None:
        self.function = function
        self._process: Any = None
        context = _context()
        if worth and context.get_start_method() == "fork":
            self._receiver, sender = context.Pipe(duplex=False)
            self._process = context.Process(target=_run_aside, args=(function, sender), daemon=True)
            _held_back(self._process.start)
            sender.close()

    def result(self) -> R:
        """What the function returns. It runs here if it could not run there, so that its exceptions are raised here."""
        try:
            found: R = self._receiver.recv() if self._process is not None else self.function()
        except EOFError:
            return self.function()
        finally:
            self.close()
        return found

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.join(5)
            self._receiver.close()


def _run_aside(function: Callable[[], Any], sender: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        sender.send(function())
    except BaseException:  # it is run again where somebody can hear of it
        os._exit(1)


class Watched:
    """An executor that says how far it is: ``tell(done, total)`` in samples, after each chunk."""

    def __init__(self, inner: Executor, tell: Callable[[int, int], None]) -> None:
        self.inner, self.tell = inner, tell
        self.shares_memory = shares_memory(inner)

    def run(self, function: Function, job: Any, chunks: Sequence[Any], cancel: Cancel) -> Generator[Any, None, None]:
        total, done = sum(map(len, chunks)), 0
        sizes = map(len, chunks)
        outcomes = self.inner.run(function, job, chunks, cancel)
        try:
            for outcome in outcomes:
                yield outcome
                done += next(sizes, 0)
                self.tell(done, total)
        finally:
            if isinstance(outcomes, Generator):
                outcomes.close()


def _submit(pool: ProcessPoolExecutor, *call: Any) -> Future[Any]:
    return _held_back(partial(pool.submit, *call))


def _held_back(start: Callable[[], R]) -> R:
    """Fork, with Ctrl-C held back: an interrupt between a fork and its bookkeeping leaves a process nobody can end."""
    if not hasattr(signal, "pthread_sigmask"):
        return start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(pool: ProcessPoolExecutor) -> None:
    """Wait until a worker runs, so that its death later is the fault of its work."""
    try:
        _submit(pool, _ready).result()
    except BrokenProcessPool as broken:
        raise LabelglotError(
            "worker processes end before they begin",
            hint="use one worker; where processes are spawned, every class at work must be importable, and the calling "
            "script needs `if __name__ == '__main__':`",
        ) from broken


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now. They must not go on writing once the output is given up, nor keep the caller waiting."""
    processes = list((pool._processes or {}).values())
    manager: Any = pool._executor_manager_thread
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(5)
    if manager is not None:
        manager.join(5)  # where it still closes its pipes, the end of the interpreter writes into a closed one


def _context() -> Any:
    """Fork where it is safe (one thread), because it starts at once and needs no guard in the caller's script."""
    methods = multiprocessing.get_all_start_methods()
    name = "fork" if "fork" in methods and threading.active_count() == 1 else "spawn"
    return multiprocessing.get_context(name)


SMALL = 2000
"""Below this many samples, starting processes costs more than it saves."""


def processors() -> int:
    """How many processes it pays to have on this machine at the most."""
    return min(os.cpu_count() or 1, 32)


def local_executor(workers: int | None, samples: int) -> tuple[Executor, int]:
    """An executor for this machine and the number of its workers; ``None`` workers: as many as it pays to have."""
    if workers is None:
        workers = 1 if samples < SMALL else processors()
    return (InProcess(), 1) if workers <= 1 else (ProcessPool(workers), workers)
