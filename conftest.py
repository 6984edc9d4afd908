"""What `pytest` finds no doctests in: modules for a library that is not installed; `make test-all` names them."""

from lossdsl.extras import is_installed

_MODULES = ("lossdsl/{}.py", "lossdsl/fused/{}_chunks.py", "lossdsl/fused/{}_linear.py")
collect_ignore = [path.format(name) for name in ("jax", "torch") if not is_installed(name) for path in _MODULES]
