"""What the server says on standard error: one line an event, and nothing of what clients sent."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

#: Libraries whose every step is of no interest here.
_NOISY = ("httpx", "httpcore", "httpx2", "alembic")

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlaceFormatter(logging.Formatter):
    """Tells of an exception what it was and where, not its message: that may hold a client's data.

    Line breaks and control characters in a message are escaped: one record is one line.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        error: BaseException | None = ei[1]
        lines: list[str] = []
        while error is not None and len(lines) < 200:
            lines.append(f"  {type(error).__module__}.{type(error).__qualname__}")
            frames = traceback.extract_tb(error.__traceback__)
            lines.extend(f"    {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)


def configure() -> None:
    """Once in each process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlaceFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
