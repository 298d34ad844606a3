"""One bad demand harms no other: a batch that fails runs again one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.messages import Result, TryLater

D = TypeVar("D")

_log = logging.getLogger("kvit.lanes")


def isolated(work: Callable[[Sequence[D]], Sequence[Result]], demands: Sequence[D]) -> Sequence[Result]:
    """The results of ``work``; a demand that fails even alone gets ``TryLater``. Never raises.

    A database that is away answers ``TryLater`` to all at once: nobody is helped by asking it singly.
    """
    try:
        results = work(demands)
    except DatabaseUnavailable as error:
        _log.warning("%s", error)
        return [TryLater("database")] * len(demands)
    except Exception:
        if len(demands) == 1:
            _log.exception("a demand failed alone")
            return [TryLater("failed")]
        _log.warning("a batch of %d failed; its demands run again one by one", len(demands))
        return [isolated(work, [demand])[0] for demand in demands]
    if len(results) != len(demands):
        raise AssertionError("every demand must be answered")
    return results
