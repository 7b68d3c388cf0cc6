"""Serve KEP-740 to the kube-apiserver of this node: gRPC over a Unix socket, answered from memory."""

from oidc_publisher.signer.server.grpcserver import GrpcServer
from oidc_publisher.signer.server.service import Offer, SigningService
from oidc_publisher.signer.server.signerclient import CallError, SignerClient
from oidc_publisher.signer.server.unixsocket import SocketError

__all__ = ["CallError", "GrpcServer", "Offer", "SignerClient", "SigningService", "SocketError"]
