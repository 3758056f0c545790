"""PyYAML, which reads YAML 1.1, beside DVC, which reads YAML 1.2."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from ruamel.yaml import YAML

from stages.files.settings import dotted


def different_values(text: str) -> list[str]:
    """Values that PyYAML, which most people read a YAML file with, does not see as DVC does.

    Parameters
    ----------
    text
        Of a YAML 1.2 file; PyYAML reads YAML 1.1.

    Returns
    -------
    list of str
        For each such value a sentence, with how to write it so that both see the same.
    """
    ours = dict(_leaves(YAML(typ="safe").load(text)))
    try:
        theirs = dict(_leaves(yaml.safe_load(text)))
    except (yaml.YAMLError, ValueError) as error:
        return [f"PyYAML cannot read the file, though DVC can: {' '.join(str(error).split())}."]
    return [
        f"{key} is {value!r} to DVC and {theirs.get(key)!r} to PyYAML; write {_for_both(value)}."
        for key, value in ours.items()
        if type(theirs.get(key)) is not type(value) or theirs[key] != value
    ]


def _leaves(value: Any, *steps: int | str) -> Iterator[tuple[str, Any]]:
    """Values of nested mappings and lists, by dotted key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for step, item in items:
        if isinstance(item, dict | list):
            yield from _leaves(item, *steps, step)
        else:
            yield dotted(*steps, step), item


def _for_both(value: Any) -> str:
    """A value as YAML 1.1 and 1.2 both read it."""
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{exponent}{power}"
    return json.dumps(value, ensure_ascii=False)
