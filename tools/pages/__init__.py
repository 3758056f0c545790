"""Parts of review and report: results of a revision, blocks of a page, Markdown and HTML."""
