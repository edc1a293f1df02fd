"""As much of hloc as its models see, written from its contract."""
