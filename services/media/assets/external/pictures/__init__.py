"""Pictures are decoded in processes of their own, with bounds: they come from strangers."""
