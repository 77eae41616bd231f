"""The training of the fraud model: made-up payments, a logistic regression, and its figures."""
