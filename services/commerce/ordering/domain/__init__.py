"""The aggregates of Ordering: orders, offers and buyers, with the rules for prices and returns."""
