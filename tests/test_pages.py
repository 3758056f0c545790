"""A page says the same as Markdown and as HTML, whatever the names in it."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image

from tools.pages import colours, confusion, markdown, web
from tools.pages.blocks import (
    Bars,
    Block,
    Caution,
    Chart,
    Folded,
    Gallery,
    Heading,
    Picture,
    Table,
    Text,
    Verdict,
)

HOSTILE = (
    "<script>alert(1)</script> [x](javascript:y) ![z](https://example.org/) | *a* _b_ # &lt; @you"
)
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
SPEC = {
    "data": {"values": [{"x": 1, "y": HOSTILE}]},
    "mark": "bar",
    "encoding": {"x": {"field": "x"}, "y": {"field": "y"}},
}
PAGE: list[Block] = [
    Heading(HOSTILE, 1),
    Caution(HOSTILE),
    Verdict(HOSTILE),
    Text(HOSTILE),
    Table(HOSTILE, ["", HOSTILE], [[HOSTILE, HOSTILE]], 1),
    Folded(HOSTILE, [Text(HOSTILE)], 2),
    Bars(HOSTILE, [HOSTILE, "b"], {HOSTILE: [1.0, 2.0], "new": [3.0, 2.5]}),
    Chart(HOSTILE, SPEC),
    Picture(HOSTILE, web.png(IMAGES[0])),
    Gallery(HOSTILE, IMAGES, [HOSTILE, "two"]),
]
LIGHT, DARK = colours.LIGHT, colours.DARK
RENDERER = MarkdownIt("commonmark").enable("table")


class Reader(HTMLParser):
    """Text, tags and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.addresses = "", set[str](), list[str]()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attributes if name in ("src", "srcset", "href")
        ]


def squeezed(text: str) -> str:
    return " ".join(text.split())


# No control characters, no bold and no code, which have a meaning.
PLAIN = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="*`"),
    min_size=1,
).filter(lambda text: text == text.strip())


@given(PLAIN)
def test_any_text_is_read_in_markdown_as_it_is(text: str) -> None:
    shown = Reader(RENDERER.render(f"x {markdown.escaped(text)}"))
    assert squeezed(shown.text) == squeezed(f"x {text}")
    assert shown.tags == {"p"}


@given(PLAIN)
def test_any_text_is_read_in_html_as_it_is(text: str) -> None:
    assert Reader(web.inline(text)).text == text


@given(st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=4))
def test_any_cell_stays_in_its_cell(rows: list[tuple[str, str]]) -> None:
    table = markdown.table(["a", "b"], [[*row] for row in rows], 1)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", RENDERER.render(table), re.DOTALL)
    shown = [squeezed(Reader(cell).text) for cell in cells]
    assert shown == [squeezed(cell) for row in rows for cell in row]


def test_bold_and_code_are_what_they_are_in_both() -> None:
    text = "**real** in `svm.grid`"
    bold_and_code = "<strong>real</strong> in <code>svm.grid</code>"
    assert web.inline(text) == bold_and_code
    assert RENDERER.render(markdown.escaped(text)) == f"<p>{bold_and_code}</p>\n"


def test_hostile_names_are_only_text() -> None:
    page, written = Reader(web.render(PAGE)), Reader(RENDERER.render(markdown.render(PAGE)))
    for shown in (page, written):
        assert not shown.tags & {"script", "a"}
        assert squeezed(shown.text).count("alert(1)") >= 8
    assert "img" not in written.tags


def test_a_page_fetches_nothing_and_embeds_every_picture() -> None:
    addresses = Reader(web.render(PAGE)).addresses
    assert [re.split("[:;]", address)[1] for address in addresses] == [
        *["image/svg+xml"] * 2,
        *["image/png"] * 3,
    ]
    for address, image in zip(addresses[3:], IMAGES, strict=True):
        shown = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
        np.testing.assert_array_equal(np.asarray(shown), 255 - image)


def test_a_chart_has_the_colours_of_a_light_page_and_of_a_dark_one() -> None:
    spec = {
        "data": {"values": [{"x": "black"}]},
        "mark": {"type": "text", "color": "black"},
        "encoding": {"color": {"scale": {"scheme": "blues"}}, "text": {"field": "x"}},
    }
    for theme in (colours.LIGHT, colours.DARK):
        shown = colours.themed(spec, theme)
        assert shown["data"] == spec["data"]
        assert shown["mark"]["color"] == theme.ink
        assert shown["encoding"]["color"]["scale"] == {"range": theme.blues}
    light, dark, _ = web.drawn(Chart("t", SPEC))
    drawn = [base64.b64decode(address.partition(",")[2]).decode() for address in (light, dark)]
    for svg, theme, other in zip(drawn, [LIGHT, DARK], [DARK, LIGHT], strict=True):
        assert theme.ink in svg
        assert other.ink not in svg
        assert 'fill="white"' not in svg


def test_what_is_folded_is_shown_in_markdown_and_behind_its_title_on_the_page() -> None:
    blocks: list[Block] = [Heading("page", 1), Folded("more", [Text("inside")], 2)]
    assert markdown.render(blocks) == "# page\n\n## more\n\ninside\n"
    page = squeezed(web.render(blocks))
    assert "<details> <summary><h2>more</h2></summary> <p>inside</p>" in page


def test_markdown_is_complete_without_pictures() -> None:
    text = markdown.render([Bars("title", ["a", "b"], {"old": [0.5, 1.0], "new": [0.75, 0.5]})])
    assert text == (
        "title (bars begin at 0.4833)\n\n```text\n"
        "a  old  0.5000 █\n"
        "a  new  0.7500 ███████████████▌\n"
        "b  old  1.0000 ██████████████████████████████\n"
        "b  new  0.5000 █\n```\n"
    )


def test_equal_bars_are_drawn_too() -> None:
    assert markdown.render([Bars("t", ["a"], {"": [2.0]})]).count("█") == markdown.WIDTH


def test_confusion_matrices_count_and_their_difference_says_what_is_worse() -> None:
    actual, before, after = np.array([[0, 0, 1, 1, 2], [0, 1, 1, 1, 2], [0, 0, 1, 0, 1]])
    old, new = (confusion.matrix(3, actual, predicted) for predicted in (before, after))
    assert old.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 1]]
    assert new.tolist() == [[2, 0, 0], [1, 1, 0], [0, 1, 0]]
    names = ["a", "b", "c"]
    folded, chart = confusion.compared(names, old, new)
    assert isinstance(folded, Folded)
    (table,) = folded.blocks
    assert table.rows[0] == ["a", "1 → 2", "1 → 0", "0"]
    assert isinstance(chart, Chart)
    worse = {
        (cell["actual"], cell["predicted"]): cell["worse"] for cell in chart.spec["data"]["values"]
    }
    assert worse["a", "a"] == worse["a", "b"] == -1
    assert worse["b", "a"] == worse["b", "b"] == worse["c", "b"] == worse["c", "c"] == 1
    assert confusion.most_confused(names, new) == [["b", "a", "1"], ["c", "b", "1"]]
