"""From each schema to the next, forward only."""
