"""Commands that train, measure, and fetch or make data for it."""
