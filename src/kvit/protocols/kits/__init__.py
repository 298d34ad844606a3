"""What the protocols share: forms, JSON, XML, envelopes, times, and what a result is called."""
