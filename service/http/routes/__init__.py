"""The addresses that are answered, one module for each kind."""
