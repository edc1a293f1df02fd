"""Benchmarks that anyone can rerun: predict to a file, score the file, report."""
