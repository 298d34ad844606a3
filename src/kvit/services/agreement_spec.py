"""What an agreement file may say: its keys, and reading it. What the values mean is checked elsewhere."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from kvit.domain.errors import SettingsError
from kvit.services.file_spec import ChannelSpec, DebtsSpec, RegisterSpec, ScheduleSpec, SettlementSpec


class BasicSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HTTP Basic credentials that the agent sends."""

    login: str
    password: str


class FeeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the agent keeps: percent of the sum plus a fixed part, within min and max."""

    percent: str = "0"
    fixed: str = "0"
    min: str = "0"
    max: str = ""


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several services at one door; its name in the file is the network's code."""

    service: str = ""
    title: str = ""
    min_sum: str = ""
    max_sum: str = ""


class RelaySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a relay may take by itself, and how long its copy of the debts is good."""

    max_sum: str = ""
    account_day_max: str = ""
    day_max: str = ""
    hours: int = 72
    when_old: Literal["refuse", "dated", "any"] = "refuse"


class AgreementSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[agreement]]`` of the file; sums are text in major units."""

    id: str
    protocol: str
    mode: Literal["test", "live"] = "live"
    title: str = ""
    currency: str = ""
    timezone: str = ""
    networks: list[str] = []
    basic: BasicSpec | None = None
    min_sum: str = ""
    max_sum: str = ""
    show_name: Literal["none", "masked", "full"] = "masked"
    valid_from: date | None = None
    valid_until: date | None = None
    fee: FeeSpec = FeeSpec()
    secret: str = ""
    public_key: str = ""
    private_key: str = ""
    services: list[str] | dict[str, ServiceSpec] = []
    payer_key: str | list[str] = "account"
    refund: Literal["allow", "refuse"] = "allow"
    dialect: dict[str, Any] = {}
    debts: DebtsSpec | None = None
    register: RegisterSpec | None = None
    settlement: SettlementSpec | None = None
    channel: ChannelSpec | None = None
    schedule: ScheduleSpec | None = None
    relay: RelaySpec | None = None


class AgreementFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agreement: list[AgreementSpec] = []


def parse_file(data: bytes) -> list[AgreementSpec]:
    """Every agreement of a TOML file as it stands there. Raises ``SettingsError``."""
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"the file is not in UTF-8 (line {line}); save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"the file is not TOML: {error}") from error
    try:
        parsed = msgspec.convert(values, AgreementFile)
    except msgspec.ValidationError as error:
        raise SettingsError(_readable(str(error))) from error
    if not parsed.agreement:
        raise SettingsError("the file has no [[agreement]]")
    return parsed.agreement


_WORDS = {
    "str": "text in quotes", "int": "a whole number", "float": "a number", "bool": "true or false",
    "array": "a list", "object": "a table", "date": "a date like 2026-12-31", "null": "nothing",
}  # fmt: skip


def _readable(message: str) -> str:
    """``Expected `str`, got `int` - at `$.agreement[0].min_sum``` -> the place first, in words of TOML."""
    reason, _, place = message.partition(" - at ")
    place = place.strip("`").removeprefix("$.").removeprefix("$")
    if reason.startswith("Expected"):
        kinds = re.sub(r"\w+", lambda kind: _WORDS.get(kind[0], kind[0]), reason.partition("Expected")[2])
        reason = "must be" + kinds.replace("`", "").replace(" | nothing", "").replace(", got", ", not")
    elif reason.startswith("Object contains unknown field"):
        reason = f"there is no setting {reason.rpartition(' ')[2]} here"
    elif reason.startswith("Object missing required field"):
        reason = f"the setting {reason.rpartition(' ')[2]} is missing"
    elif reason.startswith("Invalid enum value"):
        choices = get_args(_type_at(place))
        reason = f"must be one of: {', '.join(choices)}"
    return f"{place}: {reason}" if place else reason


def _type_at(place: str) -> Any:  # noqa: ANN401 - a type, of whatever kind
    """The type of the setting at ``agreement[0].debts.rows``."""
    kind: Any = AgreementSpec
    for name in place.split(".")[1:]:
        kind = get_type_hints(kind).get(name)
        kind = next((one for one in get_args(kind) if hasattr(one, "__struct_fields__")), kind)
    return kind
