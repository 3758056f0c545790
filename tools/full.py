"""Fit models to all training images, as `tools/bench/full.py` says."""

from stages.run import stage
from tools.bench.full import main

if __name__ == "__main__":
    stage.run_tool(main)
