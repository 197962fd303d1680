"""The one command: starts the programs, alone or together."""
