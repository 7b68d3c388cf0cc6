"""The live proof of rotation: API servers that are rotated, tokens that are minted, and verifiers that watch."""
