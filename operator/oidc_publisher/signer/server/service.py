"""Answer the three calls of KEP-740 from memory (S10 to S12)."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from oidc_publisher.signer.keypairs import TokenSigner
from oidc_publisher.signer.ring import RingKey
from oidc_publisher.signer.server.messages import (
    ListedKey,
    claims_of,
    fetch_keys_response,
    metadata_response,
    sign_response,
)
from oidc_publisher.signer.server.protobuf import MalformedMessageError
from oidc_publisher.signer.server.rpc import RpcError, Status

#: How long the first Sign waits for the ring before the disk has to do (S10).
PATIENCE_S = 10.0
#: How long a list that is asked for again waits for the ring: three looks. It does not begin the time of the first Sign.
MISSED_S = 3.0
#: How often an API server asks for the keys, if nothing makes it ask before.
REFRESH_HINT = timedelta(seconds=10)
_CLAIMS = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Offer:
    """An Offer is all that the service answers from: who signs, and what is listed as it was read at `time`."""

    signer: TokenSigner | None
    listed: tuple[RingKey, ...]
    time: datetime

    @property
    def complete(self) -> bool:
        """Whether each of the three calls can be answered, without which there is no socket (S11)."""
        return self.signer is not None and any(not key.verify_only for key in self.listed)


class SigningService:
    """The SigningService answers from its present offer, which `renew` replaces as a whole.

    No Sign is answered before `ring_was_read`, or before the first one has waited for `patience_s`: a disk of weeks ago
    would sign with a key that others do not know any more. FetchKeys waits too, for `missed_s` at most and from the second
    call on. By the first one an API server starts, and later ones look for a key that it does not know: tokens of a
    version that was made while this node was away would be refused.
    """

    def __init__(
        self,
        offer: Offer,
        *,
        max_token_lifetime: timedelta,
        hint: timedelta = REFRESH_HINT,
        patience_s: float = PATIENCE_S,
        missed_s: float = MISSED_S,
    ) -> None:
        self._offer = offer
        self._metadata = metadata_response(max_token_lifetime)
        self._hint = hint
        self._patience_s = patience_s
        self._missed_s = missed_s
        self._first_asked: float | None = None
        self._fetched = False
        self._read = asyncio.Event()
        self._keys = b""
        self.renew(offer)

    @property
    def calls(self) -> dict[str, Callable[[bytes], bytes | Awaitable[bytes]]]:
        """The calls by their names."""
        return {"Sign": self._sign, "FetchKeys": self._fetch_keys, "Metadata": self._answer_metadata}

    @property
    def waits_for_ring(self) -> bool:
        """Whether Sign still waits for the ring."""
        return not self._read.is_set()

    def renew(self, offer: Offer) -> None:
        """Answer from another offer from now on. The list stays as it was where the new one lists nothing to sign with."""
        self._offer = offer
        if offer.complete or not self._keys:
            listed = (ListedKey(key.key_id, key.key.spki, excluded=key.verify_only) for key in offer.listed)
            self._keys = fetch_keys_response(listed, offer.time, self._hint)

    def ring_was_read(self) -> None:
        """Note that the present offer comes from the ring, and not from the disk alone."""
        self._read.set()

    def _sign(self, request: bytes) -> bytes | Awaitable[bytes]:
        try:
            claims = claims_of(request)
        except MalformedMessageError:
            claims = ""
        if _CLAIMS.fullmatch(claims) is None:
            raise RpcError(Status.INVALID_ARGUMENT, "the claims are not base64url")
        return self._sign_later(claims) if self.waits_for_ring else self._signed(claims)

    async def _sign_later(self, claims: str) -> bytes:
        await self._ring_or_patience()
        return self._signed(claims)

    def _signed(self, claims: str) -> bytes:
        signer = self._offer.signer
        if signer is None:
            raise RpcError(Status.INTERNAL, "there is no key to sign with")
        return sign_response(signer.header, signer.sign(claims))

    async def _ring_or_patience(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._first_asked is None:
            self._first_asked = now
        try:
            async with asyncio.timeout(max(0.0, self._first_asked + self._patience_s - now)):
                await self._read.wait()
        except TimeoutError:
            return

    def _fetch_keys(self, request: bytes) -> bytes | Awaitable[bytes]:
        del request
        first, self._fetched = not self._fetched, True
        return self._keys if first or not self.waits_for_ring else self._fetch_keys_later()

    async def _fetch_keys_later(self) -> bytes:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._missed_s):
                await self._read.wait()
        return self._keys

    def _answer_metadata(self, request: bytes) -> bytes:
        del request
        return self._metadata
