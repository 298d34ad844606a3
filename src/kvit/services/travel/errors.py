"""What can go wrong on the way. Each message says what happened and what to do."""

from __future__ import annotations

from kvit.domain.errors import KvitError


class ChannelFailed(KvitError):
    """One file cannot be read or written; other files can."""


class ChannelBroken(ChannelFailed):
    """The other side cannot be reached, or the line broke; what was under way may or may not have arrived."""


class NotAccepted(ChannelFailed):
    """The other side did not take the file, and said so: sending it again is safe."""
