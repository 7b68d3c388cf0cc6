"""A node that runs pods, beside a control plane of the tests: kubelet, containerd, kube-proxy, DNS and the controllers."""
