"""The honker application of the shop, and the stream that its page follows."""

import honker

# The database is the file in the environment variable HONKER_DATABASE. Workers import the modules named here, which
# declare tasks and hooks.
app = honker.App(imports=["examples.shop.tasks", "examples.shop.mail"])

# Seconds after which the job of a killed worker runs again. Living workers renew their leases.
LEASE_S = 5

# Every change of an order, for live pages.
events = app.stream("orders")
