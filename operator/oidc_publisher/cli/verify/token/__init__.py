"""What `verify --token` finds: the token explained, its checks, and the words of relying parties. Pure."""

from oidc_publisher.cli.verify.token.part import token_part
from oidc_publisher.cli.verify.token.world import GivenToken, World

__all__ = ["GivenToken", "World", "token_part"]
