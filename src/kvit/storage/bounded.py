"""A PostgreSQL connection on which nobody waits for an answer for ever.

A line may be dead although something in between (a pooler, a firewall) or a server that was frozen still
acknowledges every packet: then neither keep-alives nor the server's own time limits end the wait.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

RV = TypeVar("RV")

#: A peer that vanished is noticed well before an agent's own time limit.
LINE: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
#: A little longer than the server's own limit for one statement.
ANSWER_TIMEOUT_S = 20.0
#: How long the server may be asked, on a line of its own, to stop working for us.
_CANCEL_TIMEOUT_S = 1.0
#: How often the driver looks up while it waits, as it does by itself.
_INTERVAL_S = 0.1


class BoundedConnection(psycopg.Connection[Any]):
    """Closes itself when an answer takes too long, with an ``OperationalError``: what was sent is unknown."""

    answer_timeout_s = ANSWER_TIMEOUT_S

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL_S, timeout: float | None = None) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_timeout_s)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - it is meant to be made a public one
            self._give_up()
            raise psycopg.OperationalError("the server does not answer") from error

    def _give_up(self) -> None:
        """So that neither the server goes on working nor anything here waits again."""
        try:
            self.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
        except psycopg.Error:
            pass
        finally:
            self.close()


def connect(conninfo: str, answer_timeout_s: float, **named: Any) -> BoundedConnection:  # noqa: ANN401
    """A connection that is as patient as that. ``named`` are the driver's own parameters."""
    try:
        connection = BoundedConnection.connect(conninfo, **named)
    except psycopg.Error as error:
        # The error holds the frames it came through, and these the socket, until somebody collects garbage.
        traceback.clear_frames(error.__traceback__)
        raise
    connection.answer_timeout_s = answer_timeout_s
    return connection
