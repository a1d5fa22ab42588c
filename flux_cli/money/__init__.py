"""Prices, limits and totals."""
