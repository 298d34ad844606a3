"""The relay: a node on cheap hosting that banks ask, and the office that fetches from it."""
