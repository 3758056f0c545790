"""What the pages for people are made of: results of a revision, blocks, Markdown and HTML."""
