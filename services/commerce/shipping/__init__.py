"""Shipping owns shipments: the transport of an order's goods from the warehouse to the customer's door.

Terms:

- A **shipment** belongs to one order and has its id.
- A shipment is **awaited** until the confirmation, the money and the stock of its order are all recorded. Then it is
  **created**.
- A shipment is **booked** with the **carrier**, who gives it a **tracking number**. It is **dispatched** when the
  carrier has collected it. In the end it is **delivered**, or it has **failed**.
- The carrier's messages about a shipment are **reports**.
- A **recall** cancels a booking that is no longer wanted.
"""
