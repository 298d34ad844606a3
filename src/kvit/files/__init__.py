"""One file per file format: pure codecs between bytes and records."""
