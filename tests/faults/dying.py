"""Processes that die at a point of a payment: the real posting in a child, or the whole real server.

Imported in a process of its own, never by a test: it changes the drivers there.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from kvit.domain.messages import Hold, Post, Void
from kvit.storage.sealing import seal_all
from tests.faults.points import Countdown, install
from tests.gateway import opened
from tests.seeding import agreement_of

_KINDS: dict[str, type[Post | Hold]] = {"Post": Post, "Hold": Hold}


def serve() -> None:
    """`kvit serve` that dies at a point; arguments: the point, the thread's name, then the options."""
    from kvit.cli import main

    _, at, thread, *options = sys.argv
    install(Countdown(int(at), thread))
    sys.argv = ["kvit", "serve", *options]
    main()


def deeds() -> None:
    """Does each deed of standard input (a JSON line) in a child.

    Answers with JSON lines: how many points there were, if it came to its end; then its exit code.
    """
    countdown = Countdown()
    install(countdown)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _do(json.loads(line), countdown)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\n")
        sys.stdout.flush()


def _do(wish: dict[str, Any], countdown: Countdown) -> None:
    """The child's whole life."""
    try:
        with opened(wish["url"]) as gateway:
            countdown.at = wish["at"]
            agreement = agreement_of(wish["biller_id"], may_hold=True)
            posts = [_KINDS[kind](**{**values, "fields": ()}) for kind, values in wish["posts"]]
            if wish["deed"] == "post":
                gateway.post([(agreement, post) for post in posts])
            elif wish["deed"] == "void":
                gateway.ask(agreement, Void(txn=posts[0].txn))
            else:
                assert wish["deed"] == "seal"
                seal_all(gateway.database)
        sys.stdout.write(json.dumps({"points": countdown.passed}) + "\n")
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - whatever it was, this copy of the parent must end here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
