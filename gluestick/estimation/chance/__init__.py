"""Whether matches agree with a model by chance: the test, its backgrounds, and copies."""
