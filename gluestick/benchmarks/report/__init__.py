"""What is written about runs: tables, plots, pages, and runs side by side."""
