"""The public node: one WSGI callable, one SQLite file. Standard library only, Python 3.9 syntax."""
