"""What Ordering can do: with orders, with returns, and with what it hears of products and customers."""
