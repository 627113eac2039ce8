"""nbgrader's side: its configuration, its gradebook, and what plugs into its extension points.

Everything that imports nbgrader is here; what its plug-ins do with a notebook is done by the other rooms.
"""
