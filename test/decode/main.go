// Decodes the StreamSamplesResponses of a file, each behind its length of four bytes, with Go's own protobuf, which refuses
// strings that are no UTF-8. Prints how many messages and samples it found, as JSON.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"google.golang.org/protobuf/proto"

	latscope "latscope.example/client/dist/latscope/v1"
)

type counts struct {
	Messages int `json:"messages"`
	Samples  int `json:"samples"`
}

func main() {
	found, err := decode(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}

func decode(file io.Reader) (counts, error) {
	var found counts
	for {
		var length uint32
		err := binary.Read(file, binary.BigEndian, &length)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		bytes := make([]byte, length)
		if _, err := io.ReadFull(file, bytes); err != nil {
			return found, err
		}
		var message latscope.StreamSamplesResponse
		if err := proto.Unmarshal(bytes, &message); err != nil {
			return found, err
		}
		found.Messages++
		found.Samples += len(message.GetRows().GetSamples()) + len(message.GetColumns().GetLatencyNs())
	}
}
