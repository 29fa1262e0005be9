"""One database, written by one thread that commits what has gathered: one fsync serves many.

SQLite in WAL mode with synchronous=FULL: what was answered survives a power cut. PostgreSQL by URL,
where several gateways may share it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from appliance.errors import OutcomeUnknown, StoreUnavailable
from appliance.files import make_private
from appliance.metrics import Metrics
from appliance.store.migrating import migrate

log = logging.getLogger(__name__)

MOST_TOGETHER = 256  # writes in one transaction
MOST_WAITING = 10_000  # writes not begun
READERS = 4
BUSY_TIMEOUT_MS = 10_000
IN_EACH_OTHERS_WAY = frozenset({"40001", "40P01"})  # SQLSTATE: serialization failure, deadlock
IN_THE_WAY_S = (0.02, 0.04, 0.08)  # longest pauses after each attempt
# Of a server that is gone without a word, s and ms.
AWAY: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
    # And what the server does of a gateway that is: its locks must not stop the others.
    "options": "-c idle_in_transaction_session_timeout=5000 -c tcp_keepalives_idle=5 "
    "-c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000",
}

T = TypeVar("T")
Work = Callable[[Connection], Any]
# Done in the same transaction as something else; it may run again, so it changes nothing else.
Also = Callable[[Connection], None]
Answer = tuple[Any, BaseException | None]  # what a write gave, or what failed


class Database:
    """`start` it, `read` and `write` with functions over a connection, `close` it.

    Args:
        url: SQLAlchemy's; a path of SQLite is made if it is missing.
        branch: which migrations: "main", or "keys" for wrapped keys.
    """

    def __init__(self, url: str, metrics: Metrics, branch: str = "main") -> None:
        self.url, self._branch, self._metrics = url, branch, metrics
        self._engine = _engine(url, kept_open=branch == "main")
        self._queue: queue.Queue[tuple[Work, Future[Any]] | None] = queue.Queue(MOST_WAITING)
        self._writer = threading.Thread(target=self._write_all, name=f"store-{branch}", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, f"store-{branch}-read")
        self._closed = False

    async def start(self) -> None:
        """Bring the schema up to date; raises StoreUnavailable."""
        try:
            await asyncio.to_thread(migrate, self._engine, self._branch)
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(
                "open the database", f"{_safe(self.url)}: {_cause(error)}", "check [store] url"
            ) from error
        self._writer.start()

    @property
    def shared(self) -> bool:
        """Whether other gateways may use it, too: a file's folder is locked by one."""
        return self._engine.dialect.name == "postgresql"

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` in a thread, on a connection of its own, seeing all writes that were answered."""

        def reading() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, reading)
        except DBAPIError as error:
            raise StoreUnavailable("read the database", _cause(error)) from error

    async def write(self, work: Callable[[Connection], T]) -> T:
        """`work` in a transaction; returns when it is on the disk.

        What `work` raises undoes its own writes alone. It may be run again, if a write of another
        gateway was in its way.

        Raises:
            OutcomeUnknown: the server went away meanwhile, and may have written it.
            StoreUnavailable: nothing was written.
            IntegrityError: as the schema has it.
        """
        if self._closed:
            raise StoreUnavailable("write to the database", "it is closed")
        done: Future[T] = Future()
        try:
            self._queue.put_nowait((work, done))
        except queue.Full as error:
            raise StoreUnavailable("write to the database", "too much is waiting") from error
        return await asyncio.wrap_future(done)

    def _write_all(self) -> None:
        """The writer's life: gather, run, commit, answer."""
        while True:
            item = self._queue.get()
            batch = [item]
            while item is not None and len(batch) < MOST_TOGETHER:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                batch.append(item)
            works = [entry for entry in batch if entry is not None]
            if works:
                self._commit(works)
            if None in batch:
                return

    def _commit(self, works: list[tuple[Work, Future[Any]]]) -> None:
        """Each of `works` is answered, whatever happens."""
        begun = time.monotonic()
        works = [(work, done) for work, done in works if done.set_running_or_notify_cancel()]
        answers = self._patiently([work for work, _ in works])
        self._metrics.store_commit_seconds.observe(time.monotonic() - begun)
        for (_, done), (value, failure) in zip(works, answers, strict=True):
            if failure is None:
                done.set_result(value)
            else:
                done.set_exception(failure)

    def _together(self, works: list[Work]) -> list[Answer]:
        """In one transaction. Raises _InTheWay."""
        ran = False
        try:
            with self._writing() as connection:
                answers = [_attempt(connection, work) for work in works]
                ran = True
        except Exception as error:  # the transaction is lost, and with it every write in it
            if _is_in_the_way(error):
                raise _InTheWay from error
            log.warning("a transaction failed: %s", _cause(error))
            # A file is locked by this process, which knows what is in it.
            doing, cause = "write to the database", _cause(error)
            if ran and self.shared and _is_lost(error):
                hint = "it may be done: look, or ask again with the same Idempotency-Key"
                return [(None, OutcomeUnknown(doing, cause, hint)) for _ in works]
            return [(None, StoreUnavailable(doing, cause, "is the disk full?")) for _ in works]
        return answers

    def _patiently(self, works: list[Work]) -> list[Answer]:
        """What is in the way is over soon: others' transactions are as short as ours."""
        for longest_s in IN_THE_WAY_S:
            with contextlib.suppress(_InTheWay):
                return self._together(works)
            time.sleep(random.uniform(0, longest_s))
        if len(works) > 1:
            return [answer for work in works for answer in self._patiently([work])]
        cause = "other gateways write the same all the time"
        return [(None, StoreUnavailable("write to the database", cause, "try again"))]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            # SQLite: take the write lock at once, or another process may take it in between.
            connection = connection.execution_options(immediate=True)
            with connection.begin():
                yield connection

    async def settle(self) -> bool:
        """Move what is in SQLite's log into the file, and empty it: what was deleted is then in
        neither. False while a reader of another process keeps it; try again later."""
        if self._engine.dialect.name != "sqlite":
            return True

        def checkpoint() -> bool:
            with self._engine.connect() as connection:
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()
                return busy is None or not busy[0]

        try:
            return await asyncio.to_thread(checkpoint)
        except DBAPIError as error:
            log.warning("a database's log is not emptied yet: %s", _cause(error))
            return False

    async def close(self) -> None:
        """Finish what was asked; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._writer.is_alive():
            await asyncio.to_thread(self._queue.put, None)
            await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        self._engine.dispose()


def clock(connection: Connection) -> float:
    """s since 1970 by the one clock that all gateways see: the server's; of a file, our own."""
    if connection.dialect.name != "postgresql":
        return time.time()
    return float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)


class _InTheWay(Exception):
    """Another gateway's transaction and ours waited for each other."""


def _sqlstate(error: Exception) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _is_in_the_way(error: Exception) -> bool:
    return _sqlstate(error) in IN_EACH_OTHERS_WAY


def _is_lost(error: Exception) -> bool:
    """Whether the server has not said what became of the transaction."""
    return not _sqlstate(error) or _sqlstate(error).startswith(("08", "57P"))


def _attempt(connection: Connection, work: Work) -> Answer:
    """One write under a savepoint of its own."""
    savepoint = connection.begin_nested()
    try:
        value = work(connection)
        savepoint.commit()
    except OperationalError:  # disk full and the like: nothing in this transaction is safe
        raise
    except Exception as error:
        savepoint.rollback()
        if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
            return None, StoreUnavailable("write to the database", _cause(error))
        return None, error
    return value, None


def _engine(url: str, *, kept_open: bool) -> Engine:
    """Without `kept_open` SQLite's log goes with each connection: deleted keys are in no file."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, connect_args=AWAY)
    path = url.removeprefix("sqlite:///")
    if path != url:
        make_private(Path(path).parent)
    engine = create_engine(
        url,
        poolclass=QueuePool if kept_open else NullPool,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1e3, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions behind our back
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _safe(url: str) -> str:
    """Without a password."""
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://...@{tail}" if at else url


def _cause(error: BaseException) -> str:
    told = str(getattr(error, "orig", None) or error).splitlines()
    return told[0] if told else type(error).__name__
