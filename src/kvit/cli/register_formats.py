"""``kvit register formats``: how registers of debts may look, and what can be set."""

from __future__ import annotations

import typer

from kvit.cli.shared import JSON, guarded, print_json, print_table


@guarded
def formats(
    name: str = typer.Argument("", help="Only this format, with its options."), json_output: bool = JSON
) -> None:
    """List the formats of registers of debts, or the options of one."""
    from kvit.domain.errors import NotFound
    from kvit.files.debts.base import options_of
    from kvit.files.debts.catalogue import FORMATS

    if name and name not in FORMATS:
        raise NotFound(f"there is no format {name}; known: {', '.join(FORMATS)}")
    chosen = [FORMATS[name]] if name else list(FORMATS.values())
    if json_output:
        print_json(
            [
                {
                    "name": form.name, "title": form.title, "contents": list(form.contents),
                    "rows": list(form.rows_kinds), "has_columns": form.has_columns,
                    "required": list(form.required),
                    "options": {
                        key: {"meaning": one.meaning, "default": one.default, "choices": list(one.choices)}
                        for key, one in options_of(form).items()
                    },
                }
                for form in chosen
            ]
        )  # fmt: skip
        return
    if not name:
        rows = [(form.name, form.title, ", ".join(form.required)) for form in chosen]
        print_table("Registers of debts", ("format", "is", "needs the options"), rows)
        return
    (form,) = chosen
    print_table(
        f"{form.name}: {form.title}", ("option", "meaning", "default", "may be"),
        [
            (key, one.meaning, "needed" if key in form.required else one.default, ", ".join(one.choices))
            for key, one in options_of(form).items()
        ],
    )  # fmt: skip
