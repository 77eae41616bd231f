"""The aggregates of Transfers: transfers, the allowances of customers, and standing orders; and the calendar."""
