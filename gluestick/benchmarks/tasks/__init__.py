"""The benchmarks: one file per benchmark, its pairs, its rule and its figures."""
