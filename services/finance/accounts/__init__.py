"""Accounts owns the money of the bank's customers, exact to the minor unit.

Terms:

- An **account** belongs to a **holder**, or to the bank itself (kinds clearing, fees and suspense). It may be
  **frozen** and **unfrozen**, and is **closed** for good once it is empty.
- A **posting** moves money between an account and a **contra**: a ledger of the bank, such as cash, that is only a sum.
  Each commit has both sides, so the books balance at every position of the log.
- A **hold** reserves money. It ends one way: it is **captured** (in whole, or in part and the rest is free again),
  **released**, or **expired**.
- The **available** balance is the balance, plus the **overdraft**, minus the holds. A customer's is never negative.
- **Interest** is reckoned by the day, and posted at the beginning of each month.
- A **correction** reverses a posting. One person **proposes** it, another one **approves** it.
"""
