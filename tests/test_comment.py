"""A review that is not trusted becomes one comment, and can do nothing there but be read."""

import html
import io
import json
import re
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, run_in
from tools.review.comment import LONGEST, MARKER, comment, harmless

# A Python that sees none of our packages: no site-packages, none of the user's variables.
BARE_PYTHON = [sys.executable, "-E", "-S"]
PAGE = "https://github.example/me/project/actions/runs/7"
REVIEW = """# Review: main → HEAD

**One model is better: the SVM, by 0.0204 ± 0.0057 (#1 of 2 \\| 3).**

| metric | main | HEAD |
| --- | ---: | ---: |
| `metrics/svm.json`: test\\_error | 0.1307 | 0.1103 |
| metrics/mlp.json: \\[50\\], \\<100\\> & 3/4 | 0.2264 | 0.2264 |

```text
10-10  main  0.7919 ████
```
"""


def as_zip(text: str | bytes, name: str = "review.md") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return file.getvalue()


def rendered(text: str) -> str:
    """HTML of Markdown, by GitHub's own program, with all it can do switched on."""
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return cmarkgfm.github_flavored_markdown_to_html(text, options)


HARMLESS = re.compile(
    r"</?(h[1-6]|p|table|thead|tbody|tr|strong|em|del|pre|code|blockquote|ul|li)>"
    r'|</?(td|th)( align="(left|right|center)")?>|<ol( start="\d+")?>|</ol>|<[bh]r />'
)
# What GitHub makes of text, once it has been rendered.
REFERENCE = re.compile(r"@\w|#\d|\bgh-\d|://|www\.\w|\$|\w@\w", re.IGNORECASE)


def assert_harmless(text: str) -> None:
    shown = rendered(harmless(text))
    left = HARMLESS.sub("", shown)
    assert not re.search("<[^ ]", left), left
    assert not REFERENCE.search(html.unescape(left)), left
    assert MARKER not in harmless(text)


def test_a_review_is_shown_as_it_was_written() -> None:
    as_written = rendered(REVIEW).replace(' lang="text"', "")
    assert rendered(harmless(REVIEW)).replace("\u200b", "") == as_written
    assert '<td align="right">0.1103</td>' in as_written


HOSTILE = [
    MARKER,
    "<img src=x onerror=alert(1)>",
    "</td></table><script>alert(1)</script>",
    "<!-- -->",
    "<https://evil.example>",
    "<me@evil.example>",
    "&lt;img&gt; &commat;everyone &#64;everyone &#x40;everyone",
    "@everyone `@everyone` \\@everyone a@everyone",
    "[text](https://evil.example) [text](/evil) [text](<evil>)",
    "[text][1] [1]\n\n[1]: /evil\n[text]:\n   /evil 'title'",
    "![image](/evil.png) ![image][1]\n\n[1]: /evil.png",
    "[^1]\n\n[^1]: note",
    "https://evil.example http:\\//evil.example ftp\\://evil.example //evil.example",
    "www.evil.example WWW.evil.example www\\.evil.example",
    "me@evil.example mailto:me@evil.example xmpp:me@evil.example",
    "#1 me/project#1 GH-1 gh-1 \\#1 &#35;1",
    "- [ ] task\n- [x] task",
    "```mermaid\ngraph LR; a-->b\n```",
    "> - ~~~geojson\n>   {}",
    "$`x`$ $$x$$\n```math\nx\n```",
    "``` open\n<b>",
    "| a |\n| - |\n| <b>x</b> | [x](y) |",
    "[text\u202e](https://evil.example) \u2066@every\u200bone",
    "\r<b>\r\n<b>\x00<b>\x0b<b>",
    "\u200b@everyone\u200b [x]\u200b(y)",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("before", ["", "> ", "- ", "# ", "| ", "text\n", "`", "```\n", "\\"])
def test_nothing_hostile_means_anything(before: str, text: str) -> None:
    assert_harmless(before + text)
    assert_harmless(f"{before}{text}\n\n{before}{text}")


@given(st.lists(st.sampled_from([*"<>[]()!@#&$`~|\\/:;.-_*=\"' \n\t", *HOSTILE, "a", "1", "www"])))
def test_nothing_put_together_by_chance_means_anything(parts: list[str]) -> None:
    assert_harmless("".join(parts))


def test_a_comment_starts_with_its_marker_and_the_link_and_is_no_longer_than_github_takes() -> None:
    assert comment(as_zip(REVIEW), PAGE).startswith(
        f"{MARKER}\n[With charts and images]({PAGE}#artifacts)"
    )
    for text in ("@" * 10**8, "é".encode()[:1] * 10**6, "```\n<", "", b"\xff\xfe"):
        assert len(comment(as_zip(text), PAGE)) <= LONGEST


def test_a_link_in_the_archive_is_not_followed() -> None:
    file = io.BytesIO()
    entry = zipfile.ZipInfo("review.md")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, "/etc/hostname")
        archive.writestr("../../outside", "x")
    assert comment(file.getvalue(), PAGE).endswith("\n\n/\u200betc/hostname")


class GitHub(ThreadingHTTPServer):
    """What the program needs of GitHub's interface, on this machine.

    Attributes
    ----------
    comments : list of dict
        Those of pull request 5.
    asked : list of tuple
        What it was asked for: method, path, and whether with the token.
    """

    def __init__(self, review: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.review = review
        self.comments: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, bool]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: GitHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: value for name, (value,) in parse_qs(url.query).items()}
        token = self.headers.get("Authorization")
        self.server.asked.append((self.command, url.path, token == "Bearer secret"))
        place = url.path.removeprefix("/api/repos/me/project/")
        start = 100 * (int(query.get("page", 1)) - 1)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(sent)["body"] if sent else ""
        if place == "pulls" and query["head"] == "you:a/branch" and query["state"] == "open":
            pulls = [{"number": 4, "head": {"sha": "b" * 40}}]
            pulls += [{"number": 5, "head": {"sha": "a" * 40}}]
            self.answer(pulls[start : start + 100])
        elif place == "pulls":
            self.answer([])
        elif place == "actions/runs/7/artifacts":
            self.answer({"artifacts": [{"id": 2}, {"id": 10}, {"id": 3}]})
        elif place == "actions/artifacts/10/zip":
            self.send_response(302)
            self.send_header("Location", f"{self.server.url}/storage")
            self.end_headers()
        elif place == "/storage":
            self.answer(self.server.review)
        elif place == "issues/5/comments" and self.command == "POST":
            self.server.comments.append({"user": {"login": "github-actions[bot]"}, "body": body})
            self.server.comments[-1]["id"] = len(self.server.comments)
            self.answer({})
        elif place == "issues/5/comments":
            self.answer(self.server.comments[start : start + 100])
        elif place.startswith("issues/comments/") and self.command == "PATCH":
            self.server.comments[int(place.rpartition("/")[2]) - 1]["body"] = body
            self.answer({})
        else:
            self.send_error(404)

    do_POST = do_PATCH = do_GET  # noqa: N815

    def answer(self, content: Any) -> None:
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def github() -> Iterator[GitHub]:
    """GitHub, with a review of pull request 5."""
    with GitHub(as_zip(REVIEW)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def show(github: GitHub, folder: Path, sha: str = "a" * 40, api: str = "/api") -> str:
    """Run the program as the workflow does, after a run on a commit; give what it says."""
    run = {"id": 7, "head_sha": sha, "head_branch": "a/branch", "html_url": PAGE}
    run["head_repository"] = {"owner": {"login": "you"}}
    (folder / "event.json").write_text(json.dumps({"workflow_run": run}))
    done = run_in(ROOT)(
        *(*BARE_PYTHON, "-m", "tools.review.comment"),
        GITHUB_API_URL=f"{github.url}{api}",
        GITHUB_EVENT_PATH=str(folder / "event.json"),
        GITHUB_REPOSITORY="me/project",
        GITHUB_TOKEN="secret",
        succeeds=api == "/api",
    )
    return done.stdout + done.stderr


def test_it_loads_nothing_but_python_and_itself() -> None:
    code = "import sys, tools.review.comment; print(*sys.modules)"
    loaded = set(run_in(ROOT)(*BARE_PYTHON, "-c", code).stdout.split())
    ours = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    assert ours == {"__main__", "tools", "tools.review", "tools.review.comment"}


def test_a_bare_python_has_none_of_our_packages() -> None:
    done = run_in(ROOT)(*BARE_PYTHON, "-c", "import numpy", succeeds=False)
    assert "No module named 'numpy'" in done.stderr


def test_a_second_review_of_a_pull_request_takes_the_place_of_the_first(
    github: GitHub, tmp_path: Path
) -> None:
    forged = f"{MARKER}\nI am not the one."
    github.comments = [
        {"id": i, "user": {"login": "you"}, "body": forged} for i in range(1, 150)
    ] + [{"id": 150, "user": {"login": "github-actions[bot]"}, "body": "another workflow's"}]
    before = list(github.comments)
    show(github, tmp_path)
    assert github.comments[:150] == before
    assert github.comments[150]["body"] == comment(as_zip(REVIEW), PAGE)
    github.review = as_zip("Another review")
    show(github, tmp_path)
    assert len(github.comments) == 151
    assert github.comments[150]["body"] == comment(as_zip("Another review"), PAGE)


def test_the_token_goes_to_github_alone(github: GitHub, tmp_path: Path) -> None:
    show(github, tmp_path)
    assert {path: with_token for _, path, with_token in github.asked} == {
        path: path != "/storage" for _, path, _ in github.asked
    }
    assert ("GET", "/storage", False) in github.asked


def test_a_review_of_what_is_no_longer_the_end_of_a_pull_request_is_not_shown(
    github: GitHub, tmp_path: Path
) -> None:
    said = show(github, tmp_path, sha="c" * 40)
    assert said == f"No open pull request has {'c' * 40} as its last commit.\n"
    assert github.comments == []


def test_a_refusal_ends_in_a_sentence(github: GitHub, tmp_path: Path) -> None:
    said = show(github, tmp_path, api="/nowhere")
    assert re.fullmatch(r"GitHub refused http://\S+/pulls\?\S+: .*\b404\b.*\n", said)
