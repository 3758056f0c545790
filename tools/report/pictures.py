"""Pictures that the pipeline drew and Git holds."""

from collections.abc import Iterator

from tools.pages.blocks import Picture
from tools.pages.results import Results


def picture(results: Results, name: str, title: str) -> Iterator[Picture]:
    """Show a committed picture, if the revision has it."""
    content = results.content(f"plots/{name}.png")
    if content is not None:
        yield Picture(title, content)
