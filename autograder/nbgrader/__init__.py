"""nbgrader's configuration, its gradebook, and what plugs into its extension points."""
