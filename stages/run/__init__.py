"""Where and how it runs: processes, clusters, memory, time, the terminal."""
