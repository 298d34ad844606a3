"""Money that files tell of: from a line of a register or statement to the books, exactly once."""
