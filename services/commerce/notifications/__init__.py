"""Notifications owns the messages to customers and staff, and the channels by which customers receive them.

Terms:

- A customer has a **subscription** with **channels** (e-mail, SMS, webhook). Each channel has an **address**, which is
  stored apart from all history.
- Messages are held back during **quiet hours**. Messages on **muted topics** are not sent at all.
- A **notification** is one message by one channel. It is **scheduled**, and then **sent** or **failed**. It is
  **suppressed** if nobody wants it.
"""
