"""What the system said stands somewhere below the error of a cloud's client."""

from __future__ import annotations

from botocore.exceptions import EndpointConnectionError
from requests.exceptions import ConnectionError as RequestsConnectionError
from urllib3.exceptions import MaxRetryError

from oidc_publisher.stores.causes import cause

SYSTEM = ConnectionRefusedError(111, "Connection refused")


def chained() -> Exception:
    """An error raised from another one, as most code does."""
    try:
        try:
            raise SYSTEM
        except OSError as error:
            raise ValueError from error
    except ValueError as error:
        return error


def test_each_clients_way_of_nesting_is_followed() -> None:
    """By cause, by botocore's `error`, by urllib3's `reason`, by requests' arguments; the error itself counts too."""
    retried = MaxRetryError(None, "/", SYSTEM)  # type: ignore[arg-type]
    for error in (
        SYSTEM,
        chained(),
        EndpointConnectionError(endpoint_url="https://s3.example.com", error=SYSTEM),
        retried,
        RequestsConnectionError(retried),
        RequestsConnectionError(RequestsConnectionError(retried)),
    ):
        assert cause(error, ConnectionRefusedError) is SYSTEM


def test_what_is_not_there_is_not_found_and_a_circle_has_an_end() -> None:
    """Two errors may name each other."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert cause(one, OSError) is None
    assert cause(chained(), TimeoutError) is None
