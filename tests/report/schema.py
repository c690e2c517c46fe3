"""As much of JSON Schema 2020-12 as our schemas use; an unknown keyword is an error."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_SILENT = {"$schema", "$defs", "title", "description"}
_CHECKED = {
    "$ref", "additionalProperties", "anyOf", "const", "enum", "items", "maximum", "minimum",
    "pattern", "properties", "required", "type",
}  # fmt: skip


def violations(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with ``value``, each with where it is."""
    return list(_check(value, schema, schema, "document"))


def _check(value: Any, rule: dict[str, Any], root: dict[str, Any], where: str):
    unknown = set(rule) - _SILENT - _CHECKED
    assert not unknown, f"teach this validator {unknown}"
    if "$ref" in rule:
        name = rule["$ref"].removeprefix("#/$defs/")
        yield from _check(value, root["$defs"][name], root, where)
    if "anyOf" in rule:
        answers = [list(_check(value, one, root, where)) for one in rule["anyOf"]]
        if all(answers):
            # What it most likely is meant to be is what it breaks least.
            yield from min(reversed(answers), key=len)
    if "const" in rule and value != rule["const"]:
        yield f"{where}: {value!r} is not {rule['const']!r}"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{where}: {value!r} is none of {rule['enum']}"
    if "type" in rule and not _is_of(value, rule["type"]):
        yield f"{where}: {value!r} is no {rule['type']}"
    elif isinstance(value, str):
        if "pattern" in rule and not re.search(rule["pattern"], value):
            yield f"{where}: {value!r} does not match"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < rule.get("minimum", value) or value > rule.get("maximum", value):
            yield f"{where}: {value!r} is out of range"
    elif isinstance(value, dict):
        for name in rule.get("required", ()):
            if name not in value:
                yield f"{where}: {name} is missing"
        for name, item in value.items():
            inner = rule.get("properties", {}).get(name, rule.get("additionalProperties", {}))
            yield from _check(item, inner, root, f"{where}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(item, rule.get("items", {}), root, f"{where}[{index}]")


def _is_of(value: Any, names: str | list[str]) -> bool:
    wanted = [names] if isinstance(names, str) else names
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _TYPES[name]) for name in wanted)
