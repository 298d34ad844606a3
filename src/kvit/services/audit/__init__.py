"""The auditor: recomputes all books with code that posting does not use. Begins at ``verify``."""
