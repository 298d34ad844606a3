"""An agent's lump sum on the statement clears what it collected, less its fee. Begins at ``proposing``."""
