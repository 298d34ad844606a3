"""Files on their way: what came is taken once, what goes out is sent once, wherever a line breaks."""
