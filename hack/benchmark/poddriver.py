"""`oidc-publisher` that finds the credentials of its pod in BENCH_POD_FOLDER; the arguments are those of the command.

kubelet mounts them at one place in every container, which belongs to the machine where there is none.
"""

from __future__ import annotations

import functools
import os
import sys

if __name__ == "__main__":
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # as `run` does before its imports
    from oidc_publisher.cli import main
    from oidc_publisher.cluster.credentials import incluster, kubeconfig

    found = functools.partial(incluster.in_cluster_login, os.environ["BENCH_POD_FOLDER"])
    vars(kubeconfig)["in_cluster_login"] = found  # a name that kubeconfig.py has imported
    main()
