"""Fit models to all training images: `python -m tools.full` runs `tools/bench/full.py`."""

from stages.run import stage
from tools.bench.full import main

if __name__ == "__main__":
    stage.run_tool(main)
