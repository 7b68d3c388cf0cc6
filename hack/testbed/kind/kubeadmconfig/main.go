// Prints the kubeadm configuration that kind makes of a file for a version of Kubernetes.
//
// hack/testbed/kindconfig.py compiles it within a copy of kind's own module, whose packages for this are internal. It takes the
// steps of pkg/cluster/internal/create/actions/config: load, validate, render, patch for the cluster, patch for the node.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/cluster/internal/kubeadm"
	"sigs.k8s.io/kind/pkg/internal/apis/config"
	"sigs.k8s.io/kind/pkg/internal/apis/config/encoding"
	"sigs.k8s.io/kind/pkg/internal/patch"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Println(defaults.Image)
		return
	}
	printed, err := render(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(printed)
}

func render(file, version string) (string, error) {
	cluster, err := encoding.Load(file)
	if err != nil {
		return "", err
	}
	if cluster.Name == "" {
		cluster.Name = "kind"
	}
	if err := cluster.Validate(); err != nil {
		return "", err
	}
	node := cluster.Nodes[0]
	rendered, err := kubeadm.Config(data(cluster, version))
	if err != nil {
		return "", err
	}
	patched, err := patch.KubeYAML(rendered, cluster.KubeadmConfigPatches, cluster.KubeadmConfigPatchesJSON6902)
	if err != nil {
		return "", err
	}
	return patch.KubeYAML(patched, node.KubeadmConfigPatches, node.KubeadmConfigPatchesJSON6902)
}

func data(cluster *config.Cluster, version string) kubeadm.ConfigData {
	return kubeadm.ConfigData{
		ClusterName:          cluster.Name,
		KubernetesVersion:    version,
		ControlPlaneEndpoint: cluster.Name + "-control-plane:6443",
		APIBindPort:          6443,
		APIServerAddress:     cluster.Networking.APIServerAddress,
		NodeProvider:         "docker",
		ControlPlane:         true,
		NodeAddress:          "172.18.0.2",
		NodeName:             cluster.Name + "-control-plane",
		Token:                kubeadm.Token,
		KubeProxyMode:        string(cluster.Networking.KubeProxyMode),
		PodSubnet:            cluster.Networking.PodSubnet,
		ServiceSubnet:        cluster.Networking.ServiceSubnet,
		FeatureGates:         cluster.FeatureGates,
		RuntimeConfig:        cluster.RuntimeConfig,
		IPFamily:             cluster.Networking.IPFamily,
	}
}
