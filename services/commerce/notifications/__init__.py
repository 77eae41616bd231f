"""Notifications owns what is said to customers and to staff, and by which channels each wants to hear it.

Words: a customer has a **subscription** with **channels** (e-mail, SMS, webhook), each with an **address** that is kept
apart from all history; **quiet hours** hold messages back, **muted topics** are not told at all. A **notification** is
one message by one channel: **scheduled**, then **sent** or **failed**, or **suppressed** because nobody wants it.
"""
