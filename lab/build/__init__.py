"""What the lab is made of: programs, CRDs, container images. Built once, found again by content."""
