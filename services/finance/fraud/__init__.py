"""Fraud screens transfers before their money moves.

Terms:

- A **profile** is the recent behaviour of one payer's account: the transfers it has tried, those it has paid, and their
  payees. Only a transfer whose payee has the money makes its payee and its amount familiar.
- A transfer is **screened** by **rules** and a **model**. The **verdict** is to accept, to review or to block
  it, and has the **reasons**, each with its points.
- A transfer that is not accepted opens a **case**. A person **decides** it: fraud or not. The decisions are exported as
  training data for the next model. A case is **closed** when its transfer ends without an effect: nobody has to decide.
"""
