"""Images whose cameras are known, in public layouts."""
