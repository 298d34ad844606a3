"""Between many callers and one database: batches, deadlines, back-pressure."""
