"""Running a benchmark: predict to a file, score the file, sum it up."""
