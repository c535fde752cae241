"""Runs the shop: python -m examples.shop."""

from examples.shop.run import main

main()
