"""The aggregates of Payments: payments of orders, and payment methods of customers."""
