"""The domain finance: accounts that keep money, transfers that move it, and the screening of transfers for fraud."""
