"""Where and how fits run: processes, clusters, memory, time, the terminal. Changes no result."""
