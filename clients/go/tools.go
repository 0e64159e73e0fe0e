//go:build tools

package main

// The generators of dist/latscope, so that go.mod pins them too.
import (
	_ "google.golang.org/grpc/cmd/protoc-gen-go-grpc"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
)
