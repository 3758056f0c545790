"""Post the review of a pull request as one comment; the workflow `review-comment` runs this.

    python -m tools.review.comment    # in GitHub Actions, after a run of the workflow `review`

The pull request's own code wrote the review, so this module does not trust it. GitHub's data about
the run name the pull request. The module reads one file of the review's archive, in memory, up to
the length of a comment. It neutralises HTML, links, images, mentions and references in that file.
It needs only Python's standard library.
"""

import io
import json
import os
import re
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

MARKER = "<!-- review of results -->"
AUTHOR = "github-actions[bot]"
LARGEST_ARCHIVE = 100_000_000  # bytes
LONGEST = 60_000  # letters; GitHub takes 65,536
CUT = "\n\nCut here: the rest is in the artifact."
BREAK = "\u200b"  # a zero-width space
INVISIBLE = {
    "Cc",
    "Cf",
    "Co",
    "Cs",
}  # control characters, some of which reverse the direction of text

# GitHub gives a meaning to these: HTML (<), entities (&), mentions (@), addresses (//, www.), the
# end of a link or an image (]), references (#1, GH-1).
ACTIVE = re.compile(r"[<&@\]]|(?<![\w.-])/|www|#(?=\d)|gh-(?=\d)", re.IGNORECASE)


def harmless(text: str) -> str:
    """Return Markdown that looks the same, tables and code included, but has nothing active."""
    text = "".join(
        sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in INVISIBLE
    )
    text = text.replace("$", "")  # mathematics
    text = re.sub(
        r"(```+|~~~+).*", r"\1", text
    )  # GitHub draws code of some languages, for example mermaid
    return ACTIVE.sub(lambda match: match[0] + BREAK, text)


def comment(archive: bytes, page: str) -> str:
    """Return the text of the comment that shows a review."""
    with zipfile.ZipFile(io.BytesIO(archive)) as members, members.open("review.md") as file:
        review = file.read(4 * LONGEST).decode(errors="replace")
    # The untrusted text comes last: markup that it leaves open cannot swallow our own text.
    whole = (
        f"{MARKER}\n[With charts and images]({page}#artifacts): `review.html` in the artifact of "
        "this run, which the code of this pull request wrote.\n\n" + harmless(review)
    )
    if len(whole) <= LONGEST:
        return whole
    whole_lines, _, _ = whole[: LONGEST - len(CUT)].rpartition("\n")
    return whole_lines + CUT


def ask(path: str, send: dict[str, str] | None = None, method: str | None = None) -> bytes:
    """Request a path of this repository from GitHub's API, or send JSON to it."""
    request = Request(
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        data=json.dumps(send).encode() if send else None,
        headers={"Accept": "application/vnd.github+json"},
        method=method,
    )
    # A redirect to the store of archives must not carry the token.
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['GITHUB_TOKEN']}")
    with urlopen(request, timeout=60) as answer:
        content: bytes = answer.read(LARGEST_ARCHIVE + 1)
    if len(content) > LARGEST_ARCHIVE:
        sys.exit(f"{path} is larger than a review can be.")
    return content


def pages(path: str) -> Iterator[dict[str, Any]]:
    """Yield every entry of a list in GitHub's API, over all its pages."""
    page = 1
    while entries := json.loads(ask(f"{path}{urlencode({'per_page': 100, 'page': page})}")):
        yield from entries
        page += 1


def main() -> None:
    """Find the pull request and the review, and create or update the comment."""
    run = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text())["workflow_run"]
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    number = next(
        (
            pull["number"]
            for pull in pages(f"pulls?{urlencode({'state': 'open', 'head': head})}&")
            if pull["head"]["sha"] == run["head_sha"]
        ),
        None,
    )
    if number is None:
        print(f"No open pull request has {run['head_sha']} as its last commit.")
        return
    artifacts = json.loads(ask(f"actions/runs/{run['id']}/artifacts?name=review"))["artifacts"]
    newest = max(artifact["id"] for artifact in artifacts)
    body = {"body": comment(ask(f"actions/artifacts/{newest}/zip"), run["html_url"])}
    for existing in pages(f"issues/{number}/comments?"):
        if existing["user"]["login"] == AUTHOR and existing["body"].startswith(MARKER):
            ask(f"issues/comments/{existing['id']}", body, "PATCH")
            return
    ask(f"issues/{number}/comments", body)


if __name__ == "__main__":
    try:
        main()
    except HTTPError as error:
        sys.exit(f"GitHub refused {error.url}: {error}.")
    # The fork was deleted, the artifact has expired, or it is no archive of a review.
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"There is no review to show ({type(error).__name__}: {error}).")
