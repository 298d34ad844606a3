"""The schedule beside a serving process: it looks what is due, and has it run by a process of its own.

So the server loads none of the libraries of channels and formats, and a file of a million lines takes nothing
from the payments but a core. Whoever runs it, in however many servers: each time is claimed once.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time

from kvit.main import House, ServeOptions
from kvit.services.schedule.runs import DONE, SKIPPED, scheduled, to_run
from kvit.storage.due_runs import SqlRunBook, load_applied
from kvit.storage.secretbox import open_box

_log = logging.getLogger("kvit")

#: How often it looks, and how soon again after a run that found nothing to do: another one is at it.
LOOK_S = 5.0
_PAUSE_S = 60.0
#: How long a server that stops waits for a run to end; one that is broken off goes on with the next.
_LEAVE_S = 4.0


class Schedule:
    """One server's eye on the clock."""

    def __init__(self, house: House, options: ServeOptions, stop: threading.Event) -> None:
        self._house, self._options, self._stop = house, options, stop
        self._runs = SqlRunBook(house.database)
        self._not_before_s = 0.0

    def look(self) -> None:
        """Raises ``DatabaseUnavailable``."""
        if time.monotonic() < self._not_before_s:
            return
        with self._house.database.read() as connection:
            known = load_applied(connection, open_box(self._house.settings.data_folder))
        jobs = scheduled(known)
        if jobs and to_run(known, self._runs.newest(jobs), self._house.clock):
            self._run()

    def _run(self) -> None:
        command = [sys.executable, "-c", "from kvit.cli import main; main()", "run-due", "--json"]
        if self._options.test_clock:
            command += ["--test-clock", self._house.clock.now().isoformat()]
        with subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            told, complaint = self._ended(process)
        try:
            runs = json.loads(told)["runs"] if told else []
        except (ValueError, KeyError):
            runs = []
        for run in runs:
            level = logging.INFO if run["state"] in {DONE, SKIPPED} else logging.ERROR
            _log.log(level, "%s of %s: %s, %s", run["job"], run["agreement"], run["state"], run["detail"])
        if complaint.strip():
            _log.error("run-due: %s", complaint.strip()[-2_000:])
        if not runs:
            self._not_before_s = time.monotonic() + _PAUSE_S

    def _ended(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        while True:
            try:
                return process.communicate(timeout=0.5)
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    break
        try:
            return process.communicate(timeout=_LEAVE_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            return process.communicate()
