"""Carry out planned jobs: submit, wait and save, several at once."""
