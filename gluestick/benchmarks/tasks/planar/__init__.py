"""Benchmarks whose true motion is a homography."""
