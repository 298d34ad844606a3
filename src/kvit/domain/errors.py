"""Our own faults, one tree. A class's docstring is its message when none is given.

Expected "no" answers are values (``domain.messages``), never exceptions.
"""

from __future__ import annotations


class KvitError(Exception):
    """Something in kvit went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class SettingsError(KvitError):
    """A setting is wrong; nothing was changed."""


class DatabaseUnavailable(KvitError):
    """The database cannot be reached or refuses to work; try again."""


class OutcomeUnknown(DatabaseUnavailable):
    """The database did not say whether it committed; only asking again can tell."""


class SchemaMismatch(KvitError):
    """The database belongs to another version of kvit; run `kvit init` to upgrade it."""


class ClaimLost(KvitError):
    """Another writer claimed the same payment a moment ago; run the batch again."""


class NotFound(KvitError):
    """There is no such thing in the books."""


class NotAllowed(KvitError):
    """The books do not allow this."""
