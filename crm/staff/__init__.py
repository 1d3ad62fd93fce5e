"""Staff screens that show more than one feature: My day, the case, the board, search. They only read."""
