"""Change values in a params.yaml."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def set_params(path: Path, values: dict[str, Any]) -> None:
    """Change values in a params.yaml by dotted key; the rest of the file stays as it is."""
    yaml = YAML()
    params = yaml.load(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[name] = value
    yaml.dump(params, path)
