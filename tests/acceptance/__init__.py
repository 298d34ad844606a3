"""The product from outside: only its command, its files and its HTTP door."""
