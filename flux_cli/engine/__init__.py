"""Submit, poll, cancel and look for lost jobs at any provider, without I/O of its own."""
