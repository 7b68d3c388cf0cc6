module oidc-publisher.io/testbed/pause

go 1.26.0
