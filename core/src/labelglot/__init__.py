"""labelglot: the universal converter between computer-vision dataset formats."""
