"""The process's session with the Spark cluster, over Spark Connect: one, whose clock is UTC, with a time limit.

The client is pure Python: the cluster's Java and its workers are elsewhere. It comes with the extra `distributed`.
"""

import logging
import socket
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LimitReached
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from leitstand.db.engine import STATEMENT_TIMEOUT_MS
from leitstand.errors import Unavailable
from leitstand.settings import Settings
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.connect.session import SparkSession

SCHEME, PORT = "sc", 15002
CONNECT_SECONDS = 3.0
ATTEMPTS = 3
AT_ONCE = 8
# The server forgets a session after an hour without a question.
IDLE_SECONDS = 30 * 60
# Instants are without a zone as in the parts; what would differ by a cluster's own defaults is said.
CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
}
INSTALL = N_("Install the extra: pip install 'leitstand[distributed]'.")
CHECK = N_("See that the Spark Connect server runs, and LEITSTAND_INSIGHTS_DISTRIBUTED_URL.")
_lock = threading.Lock()
_clusters: dict[tuple[str, str], "Cluster"] = {}


class TooLong(Unavailable):
    """A question took longer than it may; the cluster itself is well."""


class Cluster:
    """A session; for any number of threads.

    Args:
        limit: seconds that one call may take.

    Attributes:
        kept: what was made in the session, by workspace.
        used: when it was last asked something (monotonic seconds).
    """

    def __init__(self, spark: "SparkSession", limit: float = STATEMENT_TIMEOUT_MS / 1000) -> None:
        self.spark = spark
        self.limit = limit
        self.kept: OrderedDict[UUID, Any] = OrderedDict()
        self.used = time.monotonic()
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="spark")

    def collected(self, query: str, parameters: dict[str, Any]) -> "pa.Table":
        """What a query finds.

        Raises:
            Unavailable: the cluster failed, or took longer than the limit, and is told to stop.
        """
        return self.within_limit(lambda: self.spark.sql(query, args=parameters).toArrow())

    def within_limit[T](self, work: Callable[[], T]) -> T:
        """The result of calls to the cluster; raises as `collected` does."""
        self.used = time.monotonic()
        tag = f"leitstand-{uuid4()}"
        try:
            return self._workers.submit(self._tagged, tag, work).result(self.limit)
        except (RuntimeError, CancelledError) as error:
            # Another thread has given the session up meanwhile.
            raise Unavailable("The session with the cluster has ended.", hint=CHECK) from error
        except LimitReached as error:
            with suppress(RuntimeError):
                self._workers.submit(self.spark.interruptTag, tag)
            raise TooLong(
                msg("The cluster took more than {limit:,.0f} seconds.", limit=self.limit),
                hint="Ask about fewer days.",
            ) from error

    def dropped(self, views: list[str]) -> None:
        """Let go of views, some time soon; those of a session that has ended are gone."""
        with suppress(RuntimeError):
            self._workers.submit(self._drop, views)

    def close(self) -> None:
        """End the session."""
        with suppress(Exception):
            self._workers.submit(self.spark.stop).result(CONNECT_SECONDS)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _tagged[T](self, tag: str, work: Callable[[], T]) -> T:
        self.spark.addTag(tag)
        try:
            with translated():
                return work()
        finally:
            self.spark.removeTag(tag)

    def _drop(self, views: list[str]) -> None:
        with suppress(Exception):
            for view in views:
                self.spark.catalog.dropTempView(view)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the client as ours: one sentence, without the server's stack."""
    from grpc import RpcError
    from pyspark.errors import PySparkException

    try:
        yield
    # ValueError: a call on a channel that another thread has closed.
    except (PySparkException, RpcError, ValueError) as error:
        text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Unavailable(msg("The cluster failed: {text}", text=text[:500]), hint=CHECK) from error


def cluster_of(settings: Settings) -> Cluster:
    """The session of this process with the cluster of the settings; made when there is none.

    Raises:
        Unavailable: no cluster is set, the client is not installed, or the server does not answer.
    """
    url, token = settings.insights_distributed_url, settings.insights_distributed_token.get_secret_value()
    known = _clusters.get((url, token))
    if known and time.monotonic() - known.used > IDLE_SECONDS:
        forget(known)
    with _lock:
        if (url, token) not in _clusters:
            _clusters[url, token] = _connected(url, token)
        return _clusters[url, token]


def forget(cluster: Cluster) -> None:
    """Give a session up: the next question begins another one."""
    with _lock:
        for key in [key for key, known in _clusters.items() if known is cluster]:
            del _clusters[key]
    cluster.close()


def _connected(url: str, token: str) -> Cluster:
    # The client would go on trying for minutes.
    _check_address(url)
    # Its own log repeats every failed query with the server's stack.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # It warns of a pandas newer than what it was tested with; rows come as Arrow.
            warnings.simplefilter("ignore", FutureWarning)
            from pyspark.sql.connect.client import DefaultChannelBuilder
            from pyspark.sql.connect.client.retries import DefaultPolicy
            from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise Unavailable("The client of the cluster is not installed.", hint=INSTALL) from error
    with translated():
        channel = DefaultChannelBuilder(url)
        if token:
            channel.set(DefaultChannelBuilder.PARAM_TOKEN, token)
        spark = SparkSession(connection=channel)
        spark.client.set_retry_policies([DefaultPolicy(max_retries=ATTEMPTS, max_backoff=1000)])
        for name, value in CONFIGURATION.items():
            spark.conf.set(name, value)
    return Cluster(spark)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != SCHEME or not parts.hostname:
        raise Unavailable(
            msg("{url!r} names no Spark Connect server.", url=url),
            hint="Set LEITSTAND_INSIGHTS_DISTRIBUTED_URL to sc://host:15002.",
        )
    try:
        socket.create_connection((parts.hostname, parts.port or PORT), CONNECT_SECONDS).close()
    except OSError as error:
        raise Unavailable(
            msg("{hostname} does not answer: {error}.", hostname=parts.hostname, error=error), hint=CHECK
        ) from error
