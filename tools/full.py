"""The study on all training images: `python -m tools.full`, whose code is `tools/bench/full.py`."""

from stages.run import stage
from tools.bench.full import main

if __name__ == "__main__":
    stage.run_tool(main)
