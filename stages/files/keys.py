"""Keys of nested mappings and lists, as DVC writes them: `mlp.architectures[0]`."""

from collections.abc import Iterator
from typing import Any


def dotted(*steps: int | str) -> str:
    """A key as DVC writes it: `mlp.architectures[0]`."""
    key = ""
    for step in steps:
        key += f"[{step}]" if isinstance(step, int) else f".{step}" if step != "" else ""
    return key.lstrip(".") or "the whole file"


def flat(value: Any, *steps: int | str) -> Iterator[tuple[str, Any]]:
    """Values of nested mappings and lists, each with its dotted key."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, *steps, str(key))
    elif isinstance(value, list) and value:
        for i, item in enumerate(value):
            yield from flat(item, *steps, i)
    else:
        yield dotted(*steps), value
