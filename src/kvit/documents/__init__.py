"""Papers: records -> bytes that are printed, sent or signed."""
