"""Fresh tokens: minted, judged, and what API servers grant beyond the policy."""
