"""The rows of the table of operations, by family; `ir.ops` collects them."""
