"""``kvit relay``: a public door on cheap hosting."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import typer

from kvit.cli import relay_office
from kvit.cli.agreement_choice import agreements_of
from kvit.cli.shared import BILLER, JSON, choose_biller, guarded, house, print_json, say
from kvit.cli.writing import place_of, write_whole
from kvit.domain.errors import NotAllowed, NotFound, SettingsError
from kvit.domain.model import Agreement


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="A public door on cheap hosting.", no_args_is_help=True)
    room.command("build")(build)
    relay_office.add(room)
    app.add_typer(room, name="relay")


@guarded
def build(
    agreements: str = typer.Option(..., "--agreements", help="Whose protocols go in: ids with commas."),
    out: Path = typer.Option(Path("kvit-relay.pyz"), "--out", help="The file; the others lie beside it."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Pack the relay into one file, with the files for hosting and a checklist beside it.

    It holds no agreement, no key and no client: the office sends them when it pairs.
    """
    from kvit.relay import build as packing

    with house() as opened:
        known = {one.agreement_id: one for one in agreements_of(opened, choose_biller(opened, biller))}
    chosen = [_chosen(known, name.strip()) for name in agreements.split(",") if name.strip()]
    if not chosen:
        raise SettingsError("--agreements: name at least one agreement")
    protocols = sorted({one.protocol for one in chosen})
    for one in chosen:
        if packing.needs_office_keys(one.protocol):
            raise NotAllowed(
                f"agreement {one.agreement_id} speaks {one.protocol}, signed with the office's private key;"
                " that must not lie on a host that others run. Serve it from the office; nothing was written"
            )
    path = place_of(out, "kvit-relay.pyz")
    if not re.fullmatch(r"[A-Za-z0-9._-]+\.pyz", path.name):
        raise SettingsError(f"--out {path.name}: name it with letters, digits and .pyz; nothing was written")
    data = packing.packed(protocols)
    beside = {
        path.parent / name: content for name, content in packing.hosting_files(path.name, protocols).items()
    }
    write_whole(path, [data])
    for place, content in beside.items():
        write_whole(place, [content])
    for program in (path, path.parent / "kvit.cgi"):
        program.chmod(0o755)
    digest = sha256(data).hexdigest()
    if json_output:
        print_json(
            {"out": str(path), "sha256": digest, "bytes": len(data), "protocols": protocols,
             "beside": sorted(str(place) for place in beside)}
        )  # fmt: skip
        return
    say(f"{path}: {len(data)} bytes, protocols {', '.join(protocols)}, sha256 {digest}")
    say(f"beside it: {', '.join(sorted(place.name for place in beside))}")
    say("CHECKLIST.txt says what to do next")


def _chosen(known: dict[str, Agreement], name: str) -> Agreement:
    one = known.get(name)
    if one is None:
        raise NotFound(f"there is no agreement {name}; known: {', '.join(sorted(known)) or 'none'}")
    if not one.has_door:
        raise NotAllowed(f"agreement {name} exchanges files only; it has no door that a relay could be")
    return one
