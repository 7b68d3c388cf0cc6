"""The configuration files of a node's programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.namespace import NODE_ADDRESS
from tests.support.node.images import PAUSE_IMAGE
from tests.support.node.sandbox import STATE

NODE_NAME = "node"
POD_NETWORK = "10.88.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
CLUSTER_DOMAIN = "cluster.local"
CONTAINERD_SOCKET = STATE / "containerd.sock"
CNI_FOLDER = STATE / "cni"


def kubelet(cgroup: str, client_ca: Path) -> str:
    """KubeletConfiguration: a machine that is not kubelet's own, as it is."""
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "authentication": {"x509": {"clientCAFile": str(client_ca)}, "anonymous": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "clusterDNS": [NODE_ADDRESS],
            "clusterDomain": CLUSTER_DOMAIN,
            "resolvConf": "",
            # Nothing of the machine is changed for it, and no pod is evicted for what others do on it.
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0.01%", "imagefs.available": "0.01%"},
            "makeIPTablesUtilChains": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "maxOpenFiles": 20_000,
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": str(STATE / "volume-plugins"),
            "staticPodPath": "",
            # A test waits for what these bring about.
            "syncFrequency": "1s",
            "nodeStatusUpdateFrequency": "2s",
            "configMapAndSecretChangeDetectionStrategy": "Watch",
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
            "crashLoopBackOff": {"maxContainerRestartPeriod": "5s"},
        }
    )


def kube_proxy(kubeconfig: Path) -> str:
    """KubeProxyConfiguration: nftables, and no setting of the machine's connection tracking."""
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": NODE_NAME,
            "bindAddress": NODE_ADDRESS,
            "healthzBindAddress": f"{NODE_ADDRESS}:10256",
            "metricsBindAddress": f"{NODE_ADDRESS}:10249",
            "clusterCIDR": POD_NETWORK,
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }
    )


def containerd(programs: Path, plugins: Path) -> str:
    """Configuration of version 2, which containerd 1.6 and later read."""
    return f"""
version = 2
root = "{STATE}/containerd"
state = "{STATE}/containerd-state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "{programs}/usr/sbin/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{CNI_FOLDER}"
"""


def cni() -> str:
    """The network of the pods: a bridge, through which they also reach everything on the node's loopback interface."""
    network: dict[str, Any] = {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_NETWORK}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(STATE / "addresses"),
                },
            }
        ],
    }
    return json.dumps(network)
