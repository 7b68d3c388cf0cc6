// Command freesigner answers a kube-apiserver as an external signer of ServiceAccount tokens does (KEP-740), by grpc-go.
//
// It is what `make bench` compares the signer with. With the word "signs" it signs each token; without it every token has
// the same signature, so that a request costs what the API server and gRPC need for it and nothing else: no signer can be
// faster. Nobody may trust such a token, and it serves nothing but measurements.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"
	v1 "k8s.io/externaljwt/apis/v1"
)

const half = 32 // bytes of each of the two numbers of a signature by P-256 (RFC 7518, 3.4)

type signer struct {
	v1.UnimplementedExternalJWTSignerServer
	key    *ecdsa.PrivateKey
	listed *v1.Key
	header string
	fixed  string
}

func (s *signer) Sign(_ context.Context, request *v1.SignJWTRequest) (*v1.SignJWTResponse, error) {
	if s.fixed != "" {
		return &v1.SignJWTResponse{Header: s.header, Signature: s.fixed}, nil
	}
	signature, err := s.sign(request.Claims)
	return &v1.SignJWTResponse{Header: s.header, Signature: signature}, err
}

func (s *signer) sign(claims string) (string, error) {
	digest := sha256.Sum256([]byte(s.header + "." + claims))
	r, t, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 2*half)
	r.FillBytes(signature[:half])
	t.FillBytes(signature[half:])
	return segment(signature), nil
}

func (s *signer) FetchKeys(context.Context, *v1.FetchKeysRequest) (*v1.FetchKeysResponse, error) {
	now := timestamppb.New(time.Now())
	return &v1.FetchKeysResponse{Keys: []*v1.Key{s.listed}, DataTimestamp: now, RefreshHintSeconds: 10}, nil
}

func (s *signer) Metadata(context.Context, *v1.MetadataRequest) (*v1.MetadataResponse, error) {
	return &v1.MetadataResponse{MaxTokenExpirationSeconds: int64((24 * time.Hour).Seconds())}, nil
}

func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// read returns a signer with the P-256 key of a file in PEM (SEC 1).
func read(name string) (*signer, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", name)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	kid := crypto.SHA256.New()
	kid.Write(spki)
	listed := &v1.Key{KeyId: segment(kid.Sum(nil)), Key: spki}
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": listed.KeyId, "typ": "JWT"})
	return &signer{key: key, listed: listed, header: segment(header)}, err
}

func run(socket, key string, signs bool) error {
	made, err := read(key)
	if err != nil {
		return err
	}
	if !signs {
		if made.fixed, err = made.sign("e30"); err != nil {
			return err
		}
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	v1.RegisterExternalJWTSignerServer(server, made)
	return server.Serve(listener)
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: freesigner SOCKET KEY [signs]")
	}
	log.Fatal(run(os.Args[1], os.Args[2], len(os.Args) > 3))
}
