"""A live page in the browser: prices, book, accounts near their levels, liquidations, losses."""
