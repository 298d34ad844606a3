"""``python3 kvit-relay.pyz --data DIR --port P``: a node for trying; ``--cgi``: one request."""

from __future__ import annotations

import argparse
import sys
from typing import List, Optional
from wsgiref.handlers import CGIHandler
from wsgiref.simple_server import WSGIRequestHandler, make_server

from kvit.relay.node.app import Node

#: A client that says nothing for so long is not waited for: there is one line to this server.
QUIET_S_MAX = 10


class _Handler(WSGIRequestHandler):
    timeout = QUIET_S_MAX

    def parse_request(self) -> bool:
        """``X_Forwarded_For`` would be taken for ``X-Forwarded-For`` further on: such names are dropped."""
        is_read = super().parse_request()
        for name in [name for name in getattr(self, "headers", ()) if "_" in name]:
            del self.headers[name]
        return is_read

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Nothing: addresses of requests hold numbers of clients."""


def main(arguments: Optional[List[str]] = None) -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="kvit-relay", description=__doc__)
    parser.add_argument("--data", required=True, help="the folder for the node's file")
    parser.add_argument("--port", type=int, default=8071)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--cgi", action="store_true", help="answer one request from the environment")
    given = parser.parse_args(arguments)
    node = Node(given.data)
    if given.cgi:
        CGIHandler().run(node)
        return 0
    with make_server(given.host, given.port, node, handler_class=_Handler) as server:
        sys.stdout.write(f"listening on http://{given.host}:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
