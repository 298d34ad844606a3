"""What every bank protocol has to hold: its vectors, and the suite that all of them share."""
