"""Compliance holds the uses of works against the permissions to use them, and follows up on each infringement.

Terms:

- A **permission** allows its **holder** to use a **work**, in some **places** and **media**, for a time. It is
  Licensing's license of an asset, in the words of Compliance.
- A **finding** is a use that no permission covers: an **excess**, a use outside of place, medium or period, or an
  **unlicensed** use. A **sighting** is a use that somebody has seen; it becomes a finding if no permission covers it.
- A **case** collects the findings about one permission, or one sighting. It has a **severity**, a **reviewer** and
  notes, and it is **closed** with an **outcome**. Another finding, or a person, **reopens** it.
- A **review** is the human step of a case. It begins with a **round**: a person takes the case, is **reminded**, and
  the case is **escalated** if it is not closed in time.
- The **alerts** are the feed of all cases, the latest first, which can be watched.
"""
