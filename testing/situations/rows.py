"""All situations: each file adds its rows when it is imported."""

import importlib

from table import SITUATIONS

FILES = ("programs", "frames", "filters", "firewalls", "chains", "forwarding", "nat", "routes", "policies", "ethernet",
         "neighbours", "bridges", "ports", "uplinks", "rights", "drift", "servers", "machines", "journeys", "outside",
         "observed", "tunnels", "peers", "elsewhere", "nowhere", "sums", "noise", "requests", "refusals", "absent",
         "sights", "watched", "healthy", "ordinary", "unusual")
for name in FILES:
    importlib.import_module(name)

__all__ = ["SITUATIONS"]
