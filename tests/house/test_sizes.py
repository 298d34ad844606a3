"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "kvit"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
#: A command's options are its parameters: the person at the shell counts them, not the reader.
COMMANDS = SOURCE / "cli"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_files() -> list[Path]:
    """Every Python file of the package."""
    files = sorted(SOURCE.rglob("*.py"))
    assert files, f"no source under {SOURCE}"
    return files


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Every function of a file, nested ones and methods included, with where it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}", node


def line_count(function: Function) -> int:
    """From ``def`` to the last line; decorators do not count."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameter_count(function: Function) -> int:
    """Everything a caller may hand over; ``self`` and ``cls`` are not handed over."""
    every = function.args
    positional = [parameter.arg for parameter in every.posonlyargs + every.args]
    own = positional[:1] in (["self"], ["cls"])
    return len(positional) - own + len(every.kwonlyargs) + bool(every.vararg) + bool(every.kwarg)


def is_command(path: Path, function: Function) -> bool:
    """Whether the command line calls it: its options are its parameters, and it is ``@guarded``."""
    names = [decorator.id for decorator in function.decorator_list if isinstance(decorator, ast.Name)]
    return path.is_relative_to(COMMANDS) and "guarded" in names


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in source_files()}
    assert {str(path): length for path, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_no_function_is_long() -> None:
    found = [where for path in source_files() for where in functions(path)]
    lengths = {where: line_count(function) for where, function in found}
    assert {where: length for where, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


def test_no_function_takes_many_parameters() -> None:
    counts = {
        where: parameter_count(function)
        for path in source_files()
        for where, function in functions(path)
        if not is_command(path, function)
    }
    assert {where: count for where, count in counts.items() if count > PARAMETERS_MAX} == {}


def test_the_measures_see_what_they_should() -> None:
    text = "class A:\n    async def many(self, a, /, b, *c, d, e, f, **g):\n        return a\n"
    (method,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.AsyncFunctionDef)]
    assert line_count(method) == 2
    assert parameter_count(method) == 7
