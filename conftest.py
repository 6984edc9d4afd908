"""What `pytest` finds no doctests in: modules for a library that is not installed; `make test-all` names them."""

from lossdsl.extras import is_installed

collect_ignore = [f"lossdsl/{name}.py" for name in ("jax", "torch") if not is_installed(name)]
