"""Prints what a session has measured, a line a sample: time and latency in nanoseconds, metric, client, server.

    clients/python/setup.sh
    clients/python/dist/venv/bin/python clients/python/print.py unix:/run/latscope/latscope.sock sessions/edge 10
"""

import sys

import grpc
from latscope.v1 import probe_pb2, sample_pb2, sample_pb2_grpc


def main(address="unix:/run/latscope/latscope.sock", session="sessions/edge", count="10"):
    with grpc.insecure_channel(address) as channel:
        request = sample_pb2.StreamSamplesRequest(
            session=session, position=sample_pb2.POSITION_OLDEST, no_follow=True, max_samples=int(count)
        )
        for message in sample_pb2_grpc.SampleServiceStub(channel).StreamSamples(request):
            if message.HasField("loss"):
                print(f"{message.loss.count} samples lost", file=sys.stderr)
            for sample in message.rows.samples:
                metric = probe_pb2.Metric.Name(sample.metric)
                flow = sample.flow
                ends = f"{flow.client_address} {flow.client_port} {flow.server_address} {flow.server_port}"
                print(f"{sample.time.ToNanoseconds()} {sample.latency.ToNanoseconds()} {metric} {ends}")


main(*sys.argv[1:])
