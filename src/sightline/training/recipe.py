"""Recipes: one flat, typed TOML file that fixes an experiment, checked before anything long starts.

A recipe is a frozen dataclass whose fields are the keys of the file. What a value may be stands in
the field's type and bounds (:func:`setting`); what values may not go together, in ``check``.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from sightline.errors import RecipeError

R = TypeVar("R", bound="Recipe")


def setting(
    default: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> Any:
    """A field of a recipe with its default and bounds; each number of a tuple keeps them."""
    bounds = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    metadata = {name: value for name, value in bounds.items() if value is not None}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What all recipes can do; a task's own recipe adds the keys.

    Raises:
        RecipeError: A value of the wrong type or out of bounds, or values that cannot go together.
    """

    def __post_init__(self) -> None:
        for key in type(self).keys():  # noqa: SIM118 - a class method, no mapping
            object.__setattr__(self, key, _checked(type(self), key, getattr(self, key)))
        self.check()

    def check(self) -> None:
        """Refuse values that cannot go together; a task's recipe says which.

        Raises:
            RecipeError: Naming the keys.
        """

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The keys of the file, in order."""
        return tuple(one.name for one in fields(cls))

    def changed(self, **values: Any) -> Self:
        """The recipe with other values, checked again."""
        return type(self)(**{**self.to_dict(), **values})

    def to_dict(self) -> dict[str, Any]:
        """Every key with its value."""
        return {key: getattr(self, key) for key in self.keys()}

    def to_toml(self) -> str:
        """The whole recipe as a file, with every key: what :func:`read_recipe` reads back."""
        return "".join(f"{key} = {_toml(value)}\n" for key, value in self.to_dict().items())


def read_recipe(
    kind: type[R],
    path: str | Path,
    changes: Sequence[str] = (),
    *,
    text: str | None = None,
) -> R:
    """Read a recipe.

    Args:
        kind: Which recipe it is.
        path: The TOML file; only what errors call it where ``text`` is given.
        changes: ``key=value``, as ``--set`` has them, in place of the file's.
        text: The file's content, if it was read already.

    Raises:
        RecipeError: No such file, no TOML, an unknown key (the nearest known one and the line are
            named), a value of the wrong type or out of bounds, or values that cannot go together.
    """
    name = str(path)
    if text is None:
        text = recipe_text(path)
    values = toml_of(text, name)
    # The task first: of another task's recipe no key says more.
    for key, value in sorted(values.items(), key=lambda item: item[0] != "task"):
        where = f"{name}, line {_line_of(key, text)}"
        _require_key(kind, key, where)
        values[key] = _checked(kind, key, value, where)
    for change in changes:
        key, value = _assignment(kind, change)
        values[key] = value
    try:
        return kind(**values)
    except RecipeError as error:
        error.path = error.path or name
        raise


def recipe_text(path: str | Path) -> str:
    """Read the text of a recipe file; raises RecipeError if that cannot be."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise RecipeError(
            f"The recipe {str(path)!r} cannot be read: {cause}.",
            hint="Give a TOML file, or the name of a recipe that comes with Sightline.",
            path=path,
        ) from cause


def toml_of(text: str, name: str) -> dict[str, Any]:
    """Parse TOML; raises RecipeError with the parser's line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise RecipeError(
            f"{name} is no TOML: {cause}.",
            hint="Write key = value, one a line.",
            path=name,
        ) from cause


def _assignment(kind: type[Recipe], change: str) -> tuple[str, Any]:
    key, equals, raw = change.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals or not key:
        raise RecipeError(
            f"--set must be given key=value. Got {change!r}.",
            hint="For example --set epochs=5.",
        )
    _require_key(kind, key, "--set")
    return key, value_of(kind, key, raw)


def value_of(kind: type[Recipe], key: str, raw: str) -> Any:
    """The value of a key from its text on the command line, by the key's type.

    Text needs no quotes, and a list no brackets: ``128,512``.

    Raises:
        RecipeError: No such key, or a text that is no such value.
    """
    _require_key(kind, key, "--set")
    wanted = _types(kind)[key]
    value: Any = raw
    if get_origin(wanted) is tuple and not raw.startswith("["):
        value = [_parsed(part.strip()) for part in raw.split(",") if part.strip()]
    elif not _is_text(wanted) or raw[:1] in ('"', "'"):
        value = _parsed(raw)
    return _checked(kind, key, value, "--set")


def _parsed(raw: str) -> Any:
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return raw


def _require_key(kind: type[Recipe], key: str, where: str) -> None:
    if key in kind.keys():  # noqa: SIM118
        return
    nearest = difflib.get_close_matches(key, kind.keys(), n=1, cutoff=0.0)[0]
    raise RecipeError(
        f"{where}: there is no key {key!r}.",
        hint=f"Did you mean {nearest!r}? docs/training.md lists all keys.",
    )


def _line_of(key: str, text: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[?\s*[\"']?{re.escape(key)}\b", line):
            return number
    return 1


def _types(kind: type[Recipe]) -> dict[str, Any]:
    return _read_types(kind)  # type: ignore[arg-type]  # a class is hashable, whatever its rows are


@cache
def _read_types(kind: type[Recipe]) -> dict[str, Any]:
    return get_type_hints(kind)


def _bounds(kind: type[Recipe], key: str) -> Mapping[str, float]:
    return next(one.metadata for one in fields(kind) if one.name == key)


def _is_text(wanted: Any) -> bool:
    return wanted is str or (
        get_origin(wanted) is Literal and all(isinstance(x, str) for x in get_args(wanted))
    )


def _checked(kind: type[Recipe], key: str, value: Any, where: str | None = None) -> Any:
    """A value as its field holds it.

    Raises:
        RecipeError: Naming key, rule and value, and where it stands.
    """
    wanted, bounds = _types(kind)[key], _bounds(kind, key)
    said = f"{where}: " if where else ""
    found, rule = _converted(wanted, value)
    if rule is None:
        numbers = found if isinstance(found, tuple) else (found,)
        rule = _broken_bound(numbers, bounds)
    if rule is not None:
        raise RecipeError(
            f"{said}{key} must be {rule}. Got {value!r}.",
            hint="docs/training.md says what each key may be.",
        )
    return found


def _converted(wanted: Any, value: Any) -> tuple[Any, str | None]:
    """A value as the type wants it, and None; or anything, and what it should have been."""
    origin = get_origin(wanted)
    if origin is Literal:
        choices = get_args(wanted)
        return (
            value,
            None if value in choices else f"one of {', '.join(map(repr, choices))}",
        )
    if origin is tuple:
        return _converted_tuple(get_args(wanted), value)
    if origin in (Mapping, dict) or isinstance(wanted, types.GenericAlias):
        return value, None if isinstance(value, Mapping) else "a table, such as {regions = 8}"
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        names = {
            str: "text",
            int: "a whole number",
            float: "a number",
            bool: "true or false",
        }
        return value, names[wanted]
    if isinstance(value, float) and not math.isfinite(value):
        return value, "a finite number"
    return value, None


def _converted_tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, str | None]:
    endless = len(kinds) == 2 and kinds[1] is Ellipsis
    rule = "a list of text" if endless else f"a list of {len(kinds)} whole numbers"
    if not isinstance(value, (list, tuple)) or (not endless and len(value) != len(kinds)):
        return value, rule
    parts = [
        _converted(kinds[0] if endless else kind, part)
        for kind, part in zip(kinds if not endless else kinds[:1] * len(value), value, strict=True)
    ]
    return tuple(part for part, _ in parts), rule if any(told for _, told in parts) else None


def _broken_bound(numbers: tuple[Any, ...], bounds: Mapping[str, float]) -> str | None:
    holds = {
        "at least": lambda x, bound: x >= bound,
        "above": lambda x, bound: x > bound,
        "at most": lambda x, bound: x <= bound,
        "below": lambda x, bound: x < bound,
    }
    for number in numbers:
        if any(not holds[name](number, bound) for name, bound in bounds.items()):
            return " and ".join(f"{name} {bound:g}" for name, bound in bounds.items())
    return None


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items())
        return f"{{{inside}}}"
    return repr(value)
