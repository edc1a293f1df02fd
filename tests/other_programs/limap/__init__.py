"""As much of LIMAP 2 as the bridge calls, written from its contract."""
