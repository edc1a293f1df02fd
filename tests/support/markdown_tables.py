"""Markdown tables taken apart."""


def cells(table: str) -> list[list[str]]:
    """The cells of a table, row by row, with the header and the rule below it."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def tables_of(page: str) -> list[list[list[str]]]:
    """The cells of all tables of a page."""
    blocks = [block.strip() for block in page.split("\n\n")]
    return [cells(block) for block in blocks if block.startswith("|")]
