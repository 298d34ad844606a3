"""Verbs: what the organisation and its agents can do, and the ports that the verbs are handed."""
