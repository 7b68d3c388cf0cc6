"""`oidc-publisher explain`: it says what an error of a relying party means, and what a reason of a condition means."""
