"""Debian's Dovecot with a mailbox for one test, as an ordinary user, on free ports of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.channels.certificates import Authority
from tests.missing import missing

USER, PASSWORD = "kvit@biller.example", "correct-horse"

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
instance_name = kvit-test
listen = 127.0.0.1
protocols = imap
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_vsz_limit = 512M
first_valid_uid = 1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{folder}/mail
mail_uid = {uid}
mail_gid = {gid}
passdb {{
  driver = static
  args = password={{PLAIN}}{password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth-worker {{
  user = {user}
}}
service auth {{
  user = {user}
}}
"""


@dataclass(frozen=True)
class ImapServer:
    """``port`` speaks in clear and takes STARTTLS, ``tls_port`` is TLS from the first byte."""

    port: int
    tls_port: int
    folder: Path


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _ordinary_user() -> pwd.struct_passwd:
    if os.getuid():
        return pwd.getpwuid(os.getuid())
    for name in ("dovecot", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return missing("running as root, and there is no ordinary user to run Dovecot as")


@contextmanager
def imap_server(authority: Authority) -> Iterator[ImapServer]:
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None or not Path("/usr/lib/dovecot/imap").exists():
        missing("no IMAP server: install it (Debian: apt-get install dovecot-imapd)")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("2.3."):
        missing(f"the settings above are Dovecot 2.3's, and here is {version.split()[0]}")
    user = _ordinary_user()
    folder = Path(tempfile.mkdtemp(prefix="kvit-imap-"))
    try:
        certificate, key = authority.issue(folder)
        plain_port, tls_port = _free_ports()
        group = subprocess.run(["id", "-gn", user.pw_name], capture_output=True, text=True, check=True)
        (folder / "dovecot.conf").write_text(
            _CONFIG.format(
                folder=folder, user=user.pw_name, group=group.stdout.strip(), uid=user.pw_uid,
                gid=user.pw_gid, certificate=certificate, key=key, password=PASSWORD, plain_port=plain_port,
                tls_port=tls_port,
            )
        )  # fmt: skip
        if not os.getuid():
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        with _running(program, folder, user):
            _wait_for(plain_port, folder)
            yield ImapServer(plain_port, tls_port, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(program: str, folder: Path, user: pwd.struct_passwd) -> Iterator[None]:
    ids = {} if os.getuid() else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    process = subprocess.Popen(  # type: ignore[call-overload]
        [program, "-F", "-c", str(folder / "dovecot.conf")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **ids,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, folder: Path) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as line:
                if line.recv(4):
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            log = folder / "dovecot.log"
            raise RuntimeError(f"Dovecot did not start: {log.read_text() if log.exists() else ''}")
        time.sleep(0.05)
