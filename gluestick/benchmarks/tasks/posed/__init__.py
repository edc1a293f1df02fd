"""Benchmarks whose truth is poses, with or without depth."""
