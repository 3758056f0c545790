"""Proofs of the promise, slower than tests and in need of more tools: `make proofs`."""
