"""Commerce: selling goods, from the order to the money. Its contexts share one thing, `money`."""
