"""Load credentials with `kubernetes.config`, and raise errors where that library only logs.

This module corrects four defects of the loader. It only logs that a credential plugin failed or that a user entry
cannot be used, and continues anonymously. It reads a `tokenFile` once. Of several files it takes the last current
context, where kubectl takes the first. Some of its messages repeat the whole user entry, token included.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from oidc_publisher.cluster.credentials.authorization import Authorization, Fixed, PluginToken, TokenFile
from oidc_publisher.cluster.credentials.incluster import HOST, in_cluster_login
from oidc_publisher.cluster.credentials.login import Login, login_from
from oidc_publisher.cluster.failures import CredentialsError

DEFAULT_KUBECONFIG = "~/.kube/config"

_CREDENTIAL_MEMBERS = (
    "auth-provider",
    "exec",
    "token",
    "tokenFile",
    "username",
    "client-certificate",
    "client-certificate-data",
)
_CHECK_KUBECONFIG = "Try `kubectl get --raw /readyz` with the same kubeconfig and context."


def load_login(kubeconfig: str | None, context: str | None) -> Login:
    """Load credentials as kubectl does: the kubeconfig named, $KUBECONFIG, ~/.kube/config, then in-cluster.

    Blocks: it reads files and may run a credential plugin.

    Raises:
        CredentialsError: there are no credentials, or they cannot be used.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG") or ""
    if named:
        return kubeconfig_login(named, context)
    if Path(DEFAULT_KUBECONFIG).expanduser().is_file():
        return kubeconfig_login(DEFAULT_KUBECONFIG, context)
    if os.environ.get(HOST):
        return in_cluster_login()
    raise CredentialsError(
        "There is no kubeconfig, and this is no pod of a cluster",
        hint="Name a kubeconfig with --kubeconfig or KUBECONFIG.",
    )


def kubeconfig_login(paths: str, context: str | None) -> Login:
    """Load one context of a kubeconfig, or of several files joined as $KUBECONFIG joins them."""
    library = _library()
    configuration = library.client.Configuration()
    with _listening() as heard:
        try:
            merged, loader = _open(library.config.kube_config, paths, context)
            user = _user_of(merged, loader.current_context)
            loader.load_and_set(configuration)
        except yaml.YAMLError as error:
            raise _unusable(paths, f"it is not YAML{_line_of(error)}") from None
        except (library.config.ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unusable(paths, _safe(error)) from None
    _refuse_anonymity(configuration, user, heard, paths)
    proxy = _proxy_of(merged, loader.current_context)
    return login_from(configuration, _authorization(configuration, loader, user), proxy=proxy)


def _library() -> Any:
    """Import the kubernetes package, whose loaders have no types.

    It is imported when it is first needed: by itself any part costs 145 ms and 28 MiB (on top of an operator 10 MiB), and commands that send no
    request to a cluster do not need it.
    """
    import kubernetes  # noqa: PLC0415

    return kubernetes


def _open(kube_config: Any, paths: str, context: str | None) -> tuple[Any, Any]:
    """Return the merged kubeconfig, and a loader of one of its contexts."""
    merger = kube_config.KubeConfigMerger(paths)
    if merger.config is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    loader = kube_config.KubeConfigLoader(
        merger.config,
        active_context=context or _current_context(merger),
        config_base_path=None,
        config_persister=merger.save_changes,
    )
    return merger.config, loader


def _current_context(merger: Any) -> str | None:
    """Return the current context of the first file that has one, as kubectl does. The library takes the last one."""
    stated = (merger.config_files[path].get("current-context") for path in merger.paths)
    return next((name for name in stated if name), None)


def _user_of(merged: Any, context: Any) -> dict[str, Any]:
    """Return the context's user entry with its name and its file's folder, nothing where the context has no user."""
    name = context["context"].get("user")
    if not name:
        return {}
    entry = next((user for user in merged.value["users"] if user.value.get("name") == name), None)
    if entry is None:
        raise ValueError(f"context {context['name']} names user {name}, who is not in it")
    folder = str(Path(entry.path).resolve().parent) if entry.path else ""
    return {**(entry.value.get("user") or {}), "folder": folder, "name": name}


def _refuse_anonymity(configuration: Any, user: dict[str, Any], heard: list[str], paths: str) -> None:
    """Refuse a user entry that names credentials but gave none, which the library accepts as anonymous."""
    if configuration.api_key or configuration.cert_file or not any(user.get(m) for m in _CREDENTIAL_MEMBERS):
        return
    why = heard[-1] if heard else "its kind of credentials is not supported"
    if "exec" not in user:
        raise _unusable(paths, f"user {user['name']} has no credentials: {why}")
    plugin = user["exec"].get("command")
    raise CredentialsError(
        f"The credential plugin {plugin} of user {user['name']} in {paths} gave no credentials: {why}",
        hint=str(user["exec"].get("installHint") or f"Install {plugin} on the PATH, and run it by hand."),
    )


def _authorization(configuration: Any, loader: Any, user: dict[str, Any]) -> Authorization:
    if user.get("tokenFile") and not user.get("token") and "auth-provider" not in user:
        return TokenFile(os.path.normpath(Path(user["folder"]) / user["tokenFile"]))
    header = configuration.api_key.get("BearerToken")
    if header and getattr(loader, "expiry", None) is not None:
        plugin = str(user.get("exec", {}).get("command") or f"of user {user.get('name')}")
        return PluginToken(
            header,
            plugin=plugin,
            expiry=lambda: loader.expiry,
            refresh=lambda: _refreshed(configuration, plugin),
        )
    return Fixed(header.strip() if header else None)


def _refreshed(configuration: Any, plugin: str) -> str:
    """Let the library run the plugin again, which it does when the token expires within five minutes. Blocks."""
    with _listening() as heard:
        header: str | None = configuration.get_api_key_with_prefix("BearerToken")
    if heard or not header:
        # The plugin's stderr is left out, because its text differs from run to run.
        why = heard[-1].partition(". ")[0] if heard else "it gave no token"
        raise CredentialsError(
            f"The credential plugin {plugin} fails: {why}", hint=f"Run {plugin} by hand, as the operator's user."
        )
    return header.strip()


def _proxy_of(merged: Any, context: Any) -> str | None:
    """Return `proxy-url` of the cluster entry. HTTPS_PROXY is ignored, because in a pod it is meant for the clouds."""
    cluster = merged["clusters"].get_with_name(context["context"]["cluster"])["cluster"]
    proxy = cluster.safe_get("proxy-url")
    return str(proxy) if proxy else None


class _Heard(logging.Handler):
    """The handler collects the errors that this thread logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.messages.append(_safe(record.getMessage()))


@contextlib.contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect the errors that the library logs on the root logger instead of raising them.

    While the root logger has a handler, the library's logging.error() also does not configure logging for the whole
    process.
    """
    heard = _Heard()
    root = logging.getLogger()
    root.addHandler(heard)
    try:
        yield heard.messages
    finally:
        root.removeHandler(heard)


def _safe(error: object) -> str:
    """Return an error's text without entries of the kubeconfig, which the library repeats with tokens and keys."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    text = str(error) if isinstance(error, OSError) else re.sub(r"\{.*", "...", str(error), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).removeprefix("Invalid kube-config file. ").strip()[:300]


def _line_of(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark is not None else ""


def _unusable(paths: str, why: str) -> CredentialsError:
    return CredentialsError(f"The kubeconfig {paths} cannot be used: {why}", hint=_CHECK_KUBECONFIG)
