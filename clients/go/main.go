// Prints what a session has measured, a line a sample: time and latency in nanoseconds, metric, client, server.
//
//	clients/go/setup.sh
//	clients/go/dist/print unix:/run/latscope/latscope.sock sessions/edge 10
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	latscope "latscope.example/client/dist/latscope/v1"
)

func main() {
	if err := run(argument(1, "unix:/run/latscope/latscope.sock"), argument(2, "sessions/edge"), argument(3, "10")); err != nil {
		log.Fatal(err)
	}
}

func argument(n int, otherwise string) string {
	if n < len(os.Args) {
		return os.Args[n]
	}
	return otherwise
}

func run(address, session, count string) error {
	maxSamples, err := strconv.ParseUint(count, 10, 64)
	if err != nil {
		return err
	}
	connection, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := latscope.NewSampleServiceClient(connection).StreamSamples(context.Background(), &latscope.StreamSamplesRequest{
		Source:     &latscope.StreamSamplesRequest_Session{Session: session},
		Start:      &latscope.StreamSamplesRequest_Position{Position: latscope.Position_POSITION_OLDEST},
		MaxSamples: maxSamples,
		NoFollow:   true,
	})
	if err != nil {
		return err
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if loss := message.GetLoss(); loss != nil {
			fmt.Fprintf(os.Stderr, "%d samples lost\n", loss.Count)
		}
		for _, sample := range message.GetRows().GetSamples() {
			flow := sample.GetFlow()
			fmt.Println(sample.GetTime().AsTime().UnixNano(), sample.GetLatency().AsDuration().Nanoseconds(), sample.GetMetric(),
				flow.GetClientAddress(), flow.GetClientPort(), flow.GetServerAddress(), flow.GetServerPort())
		}
	}
}
