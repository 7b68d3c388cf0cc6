"""Sign ServiceAccount tokens for kube-apiserver (KEP-740) with versioned keys that the whole world can see."""
