"""The parts of the screen. Each reads the board and paints; none of them decides anything."""
