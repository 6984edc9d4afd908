"""Published losses as their papers write them, each beside a reference in plain numpy; by what they are losses of."""
