"""Values in params.yaml that PyYAML (YAML 1.1) reads otherwise than DVC (YAML 1.2)."""

import json
from typing import Any

import yaml
from ruamel.yaml import YAML

from stages.files.keys import flat


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
    ours = dict(flat(YAML(typ="safe").load(text)))
    try:
        theirs = dict(flat(yaml.safe_load(text)))
    except (yaml.YAMLError, ValueError) as error:
        return [f"PyYAML cannot read the file, though DVC can: {' '.join(str(error).split())}."]
    return [
        f"{key} is {value!r} to DVC and {theirs.get(key)!r} to PyYAML; write {_for_both(value)}."
        for key, value in ours.items()
        if type(theirs.get(key)) is not type(value) or theirs[key] != value
    ]


def _for_both(value: Any) -> str:
    """A value as YAML 1.1 and 1.2 both read it."""
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{exponent}{power}"
    return json.dumps(value, ensure_ascii=False)
