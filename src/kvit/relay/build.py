"""Packing the node: one zip application, the files for hosting, and a checklist.

The same sources and protocols give the same bytes: fixed times, sorted names, nothing compressed (another
zlib would write other bytes). Agreements and keys are not in it: the office sends them when it pairs.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kvit.protocols.registry import PROTOCOLS

#: What every node is made of; folders are taken whole.
_ALWAYS = (
    "__init__.py", "domain/__init__.py", "domain/messages.py", "domain/money.py", "domain/networks.py",
    "protocols/__init__.py", "protocols/base.py", "protocols/kits", "relay/__init__.py", "relay/receipts.py",
    "relay/wire.py", "relay/node",
)  # fmt: skip

_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = '''"""Started as a program."""

import sys

if sys.version_info < (3, 9):
    sys.exit("kvit relay needs Python 3.9 or later; this is " + sys.version.split()[0])

from kvit.relay.node.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
'''

_WSGI = '''"""Passenger finds this file by its name; ``gunicorn --workers 2 passenger_wsgi:application``.

The data folder must lie outside everything that the web server shows.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("KVIT_RELAY_DATA") or os.path.join(HERE, "..", "kvit-relay-data")

sys.path.insert(0, os.path.join(HERE, "{name}"))

from kvit.relay.node.app import Node

application = Node(DATA)
'''

_CGI = '''#!/usr/bin/env python3
"""One request, one process: works where nothing else does. Must be executable (0755)."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("KVIT_RELAY_DATA") or os.path.join(HERE, "..", "kvit-relay-data")

if sys.version_info < (3, 9):
    sys.stdout.write("Status: 503 Service Unavailable\\r\\nContent-Type: text/plain\\r\\n\\r\\n")
    sys.stdout.write("kvit relay needs Python 3.9 or later; this is " + sys.version.split()[0] + "\\n")
    sys.exit()

sys.path.insert(0, os.path.join(HERE, "{name}"))

from wsgiref.handlers import CGIHandler

from kvit.relay.node.app import Node

CGIHandler().run(Node(DATA))
'''

_HTACCESS = """# kvit relay by CGI. Addresses are then /kvit.cgi/pay/... and /kvit.cgi/office/...
Options +ExecCGI -Indexes
AddHandler cgi-script .cgi
<FilesMatch "\\.(pyz|py|txt|sqlite|sqlite-journal)$">
  Require all denied
</FilesMatch>
# Apache keeps passwords of banks from CGI programs unless it is told to hand them on.
<IfModule mod_setenvif.c>
  SetEnvIfNoCase Authorization "(.+)" HTTP_AUTHORIZATION=$1
</IfModule>
"""

_CHECKLIST = """kvit relay: from here to the first answer

 1. The host has Python 3.9 or later and HTTPS with a certificate that banks accept.
 2. Upload {name} and, beside it:
      Passenger ("Python application" in the panel): passenger_wsgi.py
      only CGI: kvit.cgi (permissions 0755) and .htaccess
      a server of your own: passenger_wsgi.py under gunicorn, two workers or more
 3. Data goes to the folder kvit-relay-data beside the folder of these files; KVIT_RELAY_DATA names another.
    It must not be reachable from the web.
 4. Open https://YOUR-DOMAIN/status (CGI: /kvit.cgi/status). It says that the relay waits to be paired.
 5. Read pairing-code.txt in the data folder with the panel's file manager.
 6. In the office: kvit relay pair https://YOUR-DOMAIN (CGI: https://YOUR-DOMAIN/kvit.cgi), with that code.
    The file goes away when it has been used.
 7. Open https://YOUR-DOMAIN/{name} and .../kvit-relay-data/relay.sqlite: both must be refused.
 8. kvit relay status in the office: no alarms. Then give the bank its address.

Protocols in this file: {protocols}
"""


def needs_office_keys(protocol: str) -> bool:
    """Does it sign with the office's private key? Such a key must not lie on a host that others run."""
    return "key" in PROTOCOLS[protocol].locks


def packed(protocols: Iterable[str]) -> bytes:
    """The zip application with these protocols."""
    source = files("kvit")
    members: dict[str, bytes] = {"__main__.py": _MAIN.encode()}
    for name in [*_ALWAYS, *(f"protocols/{protocol}.py" for protocol in sorted(set(protocols)))]:
        _add(members, "kvit/" + name, source.joinpath(*name.split("/")))
    stream = io.BytesIO()
    stream.write(_SHEBANG)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, members[name])
    return stream.getvalue()


def hosting_files(name: str, protocols: Iterable[str]) -> Mapping[str, bytes]:
    """What lies beside the file ``name`` on the host, by name, and what to do with it."""
    names = ", ".join(sorted(set(protocols)))
    texts = {
        "passenger_wsgi.py": _WSGI.replace("{name}", name),
        "kvit.cgi": _CGI.replace("{name}", name),
        ".htaccess": _HTACCESS,
        "CHECKLIST.txt": _CHECKLIST.format(protocols=names, name=name),
    }
    return {one: text.encode() for one, text in texts.items()}


def _add(members: dict[str, bytes], name: str, source: Traversable) -> None:
    if source.is_dir():
        for child in source.iterdir():
            if child.name.endswith(".py"):
                _add(members, f"{name}/{child.name}", child)
        return
    # A checkout on another system may have other line ends; the bytes are to be the same.
    members[name] = source.read_bytes().replace(b"\r\n", b"\n")
