"""The commands, one file each: a signature, what is asked of the engine, what is printed."""
