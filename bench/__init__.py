"""Figures of the product: what pages cost as data grows, what a write costs, what the processes weigh."""
