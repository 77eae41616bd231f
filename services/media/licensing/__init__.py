"""Licensing sells the rights to use pictures, and counts their uses.

Terms:

- A **license type** is what can be bought: a **model**, the **scope** (territories and media), the number of **uses**,
  the time for which it is valid, whether it is **exclusive**, and its price.
- A **sale** is the sale of one asset: the license types that are **offered** for it, its **embargo**, and the rights
  that were **granted**. An asset is offered once it is **ready**, and for news alone if its **releases** are missing.
  It can be **withdrawn** from sale; the licenses that were sold before remain.
- An exclusive right is granted only if no other right overlaps it in territory, medium and period.
- A **license** belongs to one buyer. Its **uses** are **reported**. Uses within it **count**, up to the number that it
  **allows**; the others **exceed** it. A use **outside** of its scope or period does not count, and is a violation.
- A report can be **corrected**. A license **expires**, and can be **renewed** before.
"""
