"""Shipping owns shipments: the way of an order's goods from the warehouse to the customer's door.

Words: a **shipment** belongs to one order and has its id. It is **awaited** until the order's confirmation, its money
and its stock were all heard of, then **created**, **booked** with the **carrier** (who gives it a **tracking number**),
**dispatched** when the carrier has collected it, and **delivered**, or it **failed**. What the carrier says on the way
are **reports**. A **recall** takes a booking back that is not wanted any more.
"""
