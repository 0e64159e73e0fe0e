import { HostStatus } from "@latscope/proto";
import type { Duration } from "@latscope/proto/google/protobuf/duration";
import type { MetricFamily } from "@latscope/proto/io/prometheus/client";
import { noAudit } from "../../audit/audit.js";
import { version } from "../../node/version.js";
import { counter, gauge, type Point } from "./family.js";
import type { Exported } from "../exported.js";

/** How this host's service is, and what it costs. */
export async function hostFamilies({ collector, sessions, streams, audit, guard }: Exported): Promise<MetricFamily[]> {
  const [bytes, samples] = await Promise.all([collector.status(), sessions.samples()]);
  const { residentBytes, cpuTime, bpfTime, kernelMemoryBytes } = HostStatus.decode(bytes);
  const overhead = guard.status;
  const { written, lost, summarized } = audit.counts;
  const one = (value: number | bigint): Point[] => [[{}, value]];
  return [
    gauge("latscope_build_info", "The version of the service.", [[{ version }, 1]]),
    gauge("latscope_sessions", "Sessions that exist, stopped ones too.", one(sessions.count)),
    gauge("latscope_streams", "Streams that are open.", one(streams.open)),
    counter("latscope_samples", "Individual samples read out of the kernel.", one(samples)),
    gauge("latscope_resident_memory_bytes", "Memory of the service.", one(residentBytes)),
    counter("latscope_cpu_seconds", "Processor time of the service.", one(seconds(cpuTime))),
    counter(
      "latscope_bpf_cpu_seconds",
      "Processor time of eBPF programs, as far as the kernel counted.",
      one(seconds(bpfTime)),
    ),
    gauge("latscope_kernel_memory_bytes", "Kernel memory of eBPF programs and maps.", one(kernelMemoryBytes)),
    gauge(
      "latscope_bpf_cpu_ratio",
      "Share of the host's processors that eBPF programs took lately.",
      overhead.cpuShare === undefined ? [] : one(overhead.cpuShare),
    ),
    gauge(
      "latscope_bpf_cpu_ceiling_ratio",
      "Share of the host's processors that eBPF programs may take.",
      one(overhead.maxCpuShare),
    ),
    gauge(
      "latscope_kernel_memory_ceiling_bytes",
      "Kernel memory that eBPF may take.",
      one(overhead.maxKernelMemoryBytes),
    ),
    counter("latscope_overhead_thinnings", "Steps of thinning because eBPF cost too much.", one(overhead.thinnings)),
    counter("latscope_overhead_restorations", "Steps of thinning that were taken back.", one(overhead.restorations)),
    counter(
      "latscope_overhead_stopped_sessions",
      "Sessions stopped because eBPF cost too much.",
      one(overhead.stoppedSessions),
    ),
    counter(
      "latscope_overhead_refused_sessions",
      "Sessions refused because eBPF cost too much.",
      one(overhead.refusedSessions),
    ),
    ...(audit === noAudit
      ? []
      : [
          counter("latscope_audit_lines", "Lines of the audit.", one(written)),
          counter("latscope_audit_lost_lines", "Lines of the audit that found no room.", one(lost)),
          counter(
            "latscope_audit_summarized_calls",
            "Calls of strangers that only a summary tells of.",
            one(summarized),
          ),
        ]),
  ];
}

function seconds(duration: Duration | undefined): number {
  return Number(duration?.seconds ?? 0n) + (duration?.nanos ?? 0) / 1e9;
}
