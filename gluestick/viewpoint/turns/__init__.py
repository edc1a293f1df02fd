"""By how much images are turned: votes, searches, and which turns set a folder upright."""
