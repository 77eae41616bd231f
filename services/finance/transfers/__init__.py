"""Transfers moves money between accounts, exactly once or not at all.

Terms:

- A **transfer** takes these steps, each in another context: it takes from the **allowance** of its customer,
  **reserves** the money at the payer, is **screened**, **captures** the money, and **credits** the payee. Then it is
  **completed**.
- A large transfer waits for the **approval** of a second person, a suspicious one for a **review**.
- A step that is refused **dooms** the transfer: it undoes what was done, and then has **failed**. Money that cannot go
  back to the payer is **parked** in the suspense account of the bank.
- A transfer may be **cancelled** until its money is captured. A completed one may be **refunded** once.
- A **file** of a customer (ISO 20022 pain.001) makes a transfer of each good **line**. A bad line refuses itself only.
- A **standing order** makes transfers by the calendar. A scheduled transfer is a standing order with one run.
"""
