"""One file per bank protocol: pure codecs between bytes and the words of ``domain.messages``."""
