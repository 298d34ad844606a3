"""What can be wrong with a file: all of it (``FileRefused``), or single rows (``RowError``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kvit.domain.errors import KvitError


class FileRefused(KvitError):
    """The file cannot be read as a table."""

    def __init__(self, what: str, advice: str, file: str = "") -> None:
        """``what`` happened and what to do about it (``advice``), both whole sentences."""
        super().__init__(f"{what} {advice}")
        self.what = what
        self.advice = advice
        self.file = file

    def __str__(self) -> str:
        said = f"{self.what} {self.advice}"
        return f"{self.file}: {said}" if self.file else said


@contextmanager
def naming(file: str) -> Iterator[None]:
    """A refusal that leaves this block says which file it is about."""
    try:
        yield
    except FileRefused as refused:
        refused.file = refused.file or file
        raise


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row cannot be taken. ``line`` counts from 1 as the person's own program shows it.

    ``column`` is the file's own header, or ``""`` where the whole row is meant; ``value`` is what stands
    there, cut to a readable length; ``reason`` says what is wrong and how it should be written.
    """

    line: int
    column: str
    value: str
    reason: str
