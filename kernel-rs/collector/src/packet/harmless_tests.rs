//! The host behaves as if we were not there: what is sent arrives as it was, nothing is dropped, and programs of others see every
//! packet that ours saw.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hasher as _},
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, mpsc},
};

use aya::{
    Ebpf, EbpfLoader,
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        tc::{NlOptions, TcAttachOptions},
    },
    util::KernelVersion,
};
use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use serde_json::Value;

use super::{PacketEngine, object::PACKET};
use crate::{
    collector::Collector,
    metric::EngineKind,
    proto::{DnsProbe, EndReason, IcmpProbe, Probe, SessionSpec, TcpProbe, UdpProbe, probe},
};

const NEAR: &str = "10.0.0.1";
const FAR: &str = "10.0.0.2:7";
/// Each way.
const BYTES: usize = 32 << 20;

/// The program that does nothing, as somebody else's.
static EMPTY: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../probes/prebuilt/empty.bpf.o"
));

fn run(command: &str) -> String {
    let mut words = command.split(' ');
    let done = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command}: {errors}");
    String::from_utf8(done.stdout).unwrap()
}

/// A namespace with one end of the wire, on a thread of its own. Nothing but what the test sends passes it.
fn secluded() {
    unshare(CloneFlags::CLONE_NEWNET).expect("needs CAP_SYS_ADMIN");
    std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
}

fn end(name: &str, mac: &str, address: &str, other: (&str, &str)) {
    run(&format!("ip link set {name} address {mac}"));
    run(&format!("ip address add {address}/24 dev {name}"));
    run(&format!("ip link set {name} up"));
    let (address, mac) = other;
    run(&format!(
        "ip neigh replace {address} lladdr {mac} dev {name} nud permanent"
    ));
}

/// Length and digest of a stream.
type Digest = (usize, u64);

/// What of `bytes` pseudo-random bytes arrives: its digest.
fn taken(stream: &mut TcpStream) -> Digest {
    let (mut hash, mut count) = (DefaultHasher::new(), 0);
    let mut room = vec![0; 1 << 18];
    loop {
        let read = stream.read(&mut room).unwrap();
        if read == 0 {
            return (count, hash.finish());
        }
        count += read;
        // A digest of the stream, however it arrives in pieces.
        hash.write(&room[..read]);
    }
}

/// Sends as much, and says what the digest is.
fn given(stream: &mut TcpStream, seed: u64) -> Digest {
    let (mut rng, mut hash) = (fastrand::Rng::with_seed(seed), DefaultHasher::new());
    let mut room = vec![0; 1 << 18];
    for _ in 0..BYTES / room.len() {
        rng.fill(&mut room);
        hash.write(&room);
        stream.write_all(&room).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    (BYTES, hash.finish())
}

/// Gives and takes at once; both digests.
fn exchange(mut stream: TcpStream, seed: u64) -> [Digest; 2] {
    let mut other = stream.try_clone().unwrap();
    let giving = std::thread::spawn(move || given(&mut other, seed));
    let taken = taken(&mut stream);
    [giving.join().unwrap(), taken]
}

/// What the far end tells after each connection: both digests, and how many packets its device dropped.
type Told = ([Digest; 2], [u64; 2]);

/// The far end, which answers every connection. It and its namespace are there until `go` is dropped.
fn far(ready: mpsc::Sender<i32>, go: mpsc::Receiver<()>, tell: mpsc::Sender<Told>) {
    std::thread::spawn(move || {
        secluded();
        ready.send(gettid().as_raw()).unwrap();
        go.recv().unwrap();
        end(
            "far0",
            "02:00:00:00:00:02",
            "10.0.0.2",
            (NEAR, "02:00:00:00:00:01"),
        );
        let server = TcpListener::bind(FAR).unwrap();
        ready.send(0).unwrap();
        for seed in 100..102 {
            let (stream, _) = server.accept().unwrap();
            let digests = exchange(stream, seed);
            tell.send((digests, drops("far0"))).unwrap();
        }
        assert!(go.recv().is_err());
    });
}

/// Dropped on the way in and on the way out.
fn drops(name: &str) -> [u64; 2] {
    let links: Value =
        serde_json::from_str(&run(&format!("ip -s -j link show dev {name}"))).unwrap();
    ["rx", "tx"].map(|way| links[0]["stats64"][way]["dropped"].as_u64().unwrap())
}

/// Somebody else's programs on both ways of an interface, behind whoever is there.
fn others(ebpf: &mut Ebpf, name: &str) {
    let program: &mut SchedClassifier = ebpf
        .program_mut("latscope_empty")
        .unwrap()
        .try_into()
        .unwrap();
    program.load().unwrap();
    let tcx = KernelVersion::current().unwrap() >= KernelVersion::new(6, 6, 0);
    for at in [TcAttachType::Ingress, TcAttachType::Egress] {
        let order = if tcx {
            TcAttachOptions::TcxOrder(LinkOrder::last())
        } else {
            TcAttachOptions::Netlink(NlOptions {
                priority: u16::MAX,
                ..NlOptions::default()
            })
        };
        program.attach_with_options(name, at, order).unwrap();
    }
}

fn runs(ebpf: &Ebpf) -> u64 {
    let program: &SchedClassifier = ebpf.program("latscope_empty").unwrap().try_into().unwrap();
    program.info().unwrap().run_count()
}

/// Packets and drops that the clsact qdisc of another counted.
fn clsact(name: &str) -> [u64; 2] {
    let all: Value =
        serde_json::from_str(&run(&format!("tc -s -j qdisc show dev {name}"))).unwrap();
    let it = all
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["kind"] == "clsact")
        .unwrap();
    ["packets", "drops"].map(|key| it[key].as_u64().unwrap())
}

fn everything() -> SessionSpec {
    let kinds = [
        probe::Kind::Tcp(TcpProbe::default()),
        probe::Kind::Udp(UdpProbe::default()),
        probe::Kind::Dns(DnsProbe::default()),
        probe::Kind::Icmp(IcmpProbe::default()),
    ];
    let probes = kinds.map(|kind| Probe {
        kind: Some(kind),
        timeout: None,
    });
    SessionSpec {
        probes: probes.into(),
        interfaces: vec!["near0".into()],
        ..SessionSpec::default()
    }
}

#[test]
fn a_large_transfer_arrives_as_without_us_and_others_see_every_packet() {
    let near = std::thread::spawn(|| {
        let _statistics = aya::sys::enable_stats(aya::sys::Stats::RunTime).unwrap();
        secluded();
        let ((said, ready), (go, wait)) = (mpsc::channel(), mpsc::channel());
        let (tell, told) = mpsc::channel();
        far(said, wait, tell);
        let thread = ready.recv().unwrap();
        run(&format!(
            "ip link add near0 type veth peer name far0 netns {thread}"
        ));
        go.send(()).unwrap();
        end(
            "near0",
            "02:00:00:00:00:01",
            NEAR,
            ("10.0.0.2", "02:00:00:00:00:02"),
        );
        ready.recv().unwrap();
        run("tc qdisc add dev near0 clsact");
        // Classic BPF that gives no verdict (`TC_ACT_UNSPEC`).
        let filter = "tc filter add dev near0 egress protocol all bpf direct-action bytecode";
        let added = Command::new("tc")
            .args(filter.split(' ').skip(1))
            .arg("1,6 0 0 4294967295")
            .status();
        assert!(added.unwrap().success());
        let mut foreign = EbpfLoader::new().load(EMPTY).unwrap();
        others(&mut foreign, "near0");

        let alone = exchange(TcpStream::connect(FAR).unwrap(), 1);
        let (packets_alone, runs_alone) = (clsact("near0")[0], runs(&foreign));
        assert!(packets_alone > 0 && runs_alone > 0);

        let engine: Arc<PacketEngine> = Arc::new(PacketEngine::default());
        let collector = Collector::new("nodes/test".into(), vec![(EngineKind::Packet, engine)]);
        let session = collector.start(&everything()).unwrap();
        let before = runs(&foreign);
        let watched = exchange(TcpStream::connect(FAR).unwrap(), 2);
        let far = [told.recv().unwrap(), told.recv().unwrap()];
        let ours: u64 = session
            .stats()
            .unwrap()
            .programs
            .iter()
            .map(|it| it.run_count.unwrap_or(0))
            .sum();
        let theirs = runs(&foreign) - before;
        session.stop(EndReason::SessionStopped);

        // What was given is what was taken, both ways, without us and with us.
        for (near, (far, _)) in [alone, watched].iter().zip(&far) {
            assert_eq!(near[0], far[1]);
            assert_eq!(near[1], far[0]);
            assert_eq!(near[0].0, BYTES);
        }
        assert_eq!(
            far.iter().map(|it| it.1).collect::<BTreeSet<_>>(),
            [[0, 0]].into()
        );
        assert_eq!((drops("near0"), clsact("near0")[1]), ([0, 0], 0));
        // Packets are larger than a segment: nothing was cut up on our account.
        let segments = BYTES as u64 / 1448;
        assert!(ours > 1000 && ours < 2 * segments, "{ours} of {segments}");
        assert_eq!(ours, theirs, "every packet that ours saw went on to theirs");
    });
    near.join().expect("the test panicked");
}

/// Helpers that neither change a packet, nor pull it into linear memory, nor send it anywhere (include/uapi/linux/bpf.h).
const READING: [(i32, &str); 11] = [
    (1, "map_lookup_elem"),
    (2, "map_update_elem"),
    (3, "map_delete_elem"),
    (5, "ktime_get_ns"),
    (8, "get_smp_processor_id"),
    (26, "skb_load_bytes"),
    (118, "jiffies64"),
    (131, "ringbuf_reserve"),
    (132, "ringbuf_submit"),
    (133, "ringbuf_discard"),
    (134, "ringbuf_query"),
];

#[test]
fn the_programs_call_no_helper_that_could_touch_a_packet() {
    const CALL: u8 = 0x85;
    let object = aya_obj::Object::parse(PACKET).unwrap();
    let mut called = BTreeSet::new();
    for function in object.functions.values() {
        for instruction in &function.instructions {
            // Not a call of a function of the object.
            if instruction.code == CALL && instruction.src_reg() == 0 {
                called.insert(instruction.imm);
            }
        }
    }
    assert!(called.contains(&26), "{called:?}");
    for helper in called {
        assert!(READING.iter().any(|it| it.0 == helper), "helper {helper}");
    }
}
