"""Decodes the StreamSamplesResponses of standard input, each behind its length of four bytes, with Python's own protobuf, which
refuses strings that are no UTF-8. Prints how many messages and samples it found, as JSON."""

import json
import sys

from latscope.v1 import sample_pb2

messages = samples = 0
while length := sys.stdin.buffer.read(4):
    message = sample_pb2.StreamSamplesResponse.FromString(sys.stdin.buffer.read(int.from_bytes(length, "big")))
    messages += 1
    samples += len(message.rows.samples) + len(message.columns.latency_ns)
print(json.dumps({"messages": messages, "samples": samples}))
