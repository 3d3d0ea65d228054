// Command kubernetes is the part of a Kubernetes API server that looks at ID tokens: its
// own verifier, with the settings that the API server has from its command line. It reads
// one token a line, and answers each with who it is, in JSON, or with why not.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

// answer is what the API server makes of a token.
type answer struct {
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Error  string   `json:"error,omitempty"`
}

func main() {
	issuer := flag.String("oidc-issuer-url", "", "as of kube-apiserver")
	client := flag.String("oidc-client-id", "", "as of kube-apiserver")
	authority := flag.String("oidc-ca-file", "", "as of kube-apiserver")
	flag.Parse()
	if err := serve(*issuer, *client, *authority); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

func serve(issuer, client, authority string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pem, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	prefix := "oidc:"
	verifier, err := oidc.New(ctx, oidc.Options{
		JWTAuthenticator: apiserver.JWTAuthenticator{
			Issuer: apiserver.Issuer{URL: issuer, Audiences: []string{client}},
			ClaimMappings: apiserver.ClaimMappings{
				Username: apiserver.PrefixedClaimOrExpression{Claim: "email", Prefix: &prefix},
				Groups:   apiserver.PrefixedClaimOrExpression{Claim: "groups", Prefix: &prefix},
			},
		},
		Client:               &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
		SupportedSigningAlgs: []string{"RS256"},
	})
	if err != nil {
		return err
	}
	// It asks for discovery in the background, as the API server does.
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		return verifier.HealthCheck() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("discovery: %w", verifier.HealthCheck())
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := json.NewEncoder(os.Stdout).Encode(ask(ctx, verifier, lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

func ask(ctx context.Context, verifier authenticator.Token, token string) answer {
	response, ok, err := verifier.AuthenticateToken(ctx, token)
	switch {
	case err != nil:
		return answer{Error: err.Error()}
	case !ok:
		return answer{Error: "the token is of another issuer"}
	default:
		return answer{User: response.User.GetName(), Groups: response.User.GetGroups()}
	}
}
