//! `METRIC_NET_STACK_RECEIVE`: packets over the loopback interface, read by a child.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use super::{
    child::{Child, sleep},
    sessions::{collector, latency, read, spec},
};
use crate::proto::{EndReason, NetStackProbe, RefusalReason, Sample, Totals, probe::Kind};

const NAP: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_millis(400);
/// Every packet that a test sends.
const MESSAGE: [u8; 12] = *b"twelve bytes";

/// Takes up to `most` bytes from a socket: how many there were.
fn receive(socket: i32, most: usize) -> isize {
    let mut room = [0_u8; 64];
    // SAFETY: `most` is at most the room there is.
    unsafe { libc::recv(socket, room.as_mut_ptr().cast(), most.min(64), 0) }
}

/// Whether something tells here that a datagram is read; where fentry works, it must.
fn datagrams() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let version = (
        numbers.next().unwrap().unwrap(),
        numbers.next().unwrap().unwrap(),
    );
    let told = version < (6, 18) || super::kernel_function::kprobes();
    if !told {
        println!("skipped: a kernel since 6.18 without fentry tells of no datagram that is read");
    }
    told
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    writer.set_nodelay(true).unwrap();
    (writer, listener.accept().unwrap().0)
}

fn udp() -> (UdpSocket, UdpSocket) {
    let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
    let writer = UdpSocket::bind("127.0.0.1:0").unwrap();
    writer.connect(reader.local_addr().unwrap()).unwrap();
    (writer, reader)
}

/// What is measured of a child while something is sent: before it is let go, or when it sleeps in the call that reads.
fn measured(child: &mut Child, waits: bool, send: impl FnOnce()) -> (Vec<Sample>, Totals) {
    let collector = collector();
    let session = collector
        .start(&spec(Kind::NetStack(NetStackProbe {}), &[child.pid]))
        .unwrap();
    if waits {
        child.go();
        child.wait_until_it_is_in(libc::SYS_recvfrom);
        send();
    } else {
        send();
        child.go();
    }
    child.wait();
    session.stop(EndReason::SessionStopped);
    read(&session)
}

/// The latency of the one packet that a child has read.
fn one(child: &Child, (samples, totals): &(Vec<Sample>, Totals)) -> Duration {
    assert_eq!(
        (samples.len(), totals.measured),
        (1, 1),
        "{samples:?} {totals:?}"
    );
    let process = samples[0].process.as_ref().unwrap();
    assert_eq!((process.pid, &*samples[0].subject), (child.pid, "lo"));
    assert_eq!((&totals.losses, &totals.refusals), (&vec![], &vec![]));
    latency(&samples[0])
}

#[test]
fn a_segment_waits_for_its_reader_and_is_told_once() {
    let (mut writer, reader) = tcp();
    let reader = reader.as_raw_fd();
    let mut child = Child::new(|| {
        sleep(NAP);
        // In pieces.
        while receive(reader, 5) == 5 {}
    });
    let found = measured(&mut child, false, || writer.write_all(&MESSAGE).unwrap());
    let latency = one(&child, &found);
    assert!((NAP..NAP + LATE).contains(&latency), "{latency:?}");
}

#[test]
fn a_reader_that_waits_gets_a_segment_at_once() {
    let (mut writer, reader) = tcp();
    let reader = reader.as_raw_fd();
    let mut child = Child::new(|| {
        receive(reader, 64);
    });
    let found = measured(&mut child, true, || writer.write_all(&MESSAGE).unwrap());
    let latency = one(&child, &found);
    assert!(latency < LATE, "{latency:?}");
}

#[test]
fn a_datagram_waits_for_its_reader() {
    if !datagrams() {
        return;
    }
    let (writer, reader) = udp();
    let reader = reader.as_raw_fd();
    let mut child = Child::new(|| {
        sleep(NAP);
        receive(reader, 64);
    });
    let found = measured(&mut child, false, || {
        writer.send(&MESSAGE).unwrap();
    });
    let latency = one(&child, &found);
    assert!((NAP..NAP + LATE).contains(&latency), "{latency:?}");
}

#[test]
fn a_reader_that_waits_gets_a_datagram_at_once() {
    if !datagrams() {
        return;
    }
    let (writer, reader) = udp();
    let reader = reader.as_raw_fd();
    let mut child = Child::new(|| {
        receive(reader, 64);
    });
    let found = measured(&mut child, true, || {
        writer.send(&MESSAGE).unwrap();
    });
    let latency = one(&child, &found);
    assert!(latency < LATE, "{latency:?}");
}

#[test]
fn what_nobody_reads_is_no_latency() {
    let (writer, reader) = udp();
    let mut child = Child::new(|| sleep(NAP));
    let (samples, totals) = measured(&mut child, false, || {
        writer.send(&MESSAGE).unwrap();
    });
    drop(reader);
    assert_eq!((samples.len(), totals.measured), (0, 0), "{samples:?}");
}

#[test]
fn what_never_came_from_a_device_is_neither_told_nor_refused() {
    let (mut writer, reader) = UnixStream::pair().unwrap();
    let reader = reader.as_raw_fd();
    let mut child = Child::new(|| {
        receive(reader, 64);
    });
    let (samples, totals) = measured(&mut child, false, || writer.write_all(&MESSAGE).unwrap());
    assert_eq!((samples.len(), totals.measured), (0, 0), "{samples:?}");
    assert_eq!(totals.refusals, vec![]);
}

/// A socket that sees every packet gets copies of what others receive: when those came is not known.
#[test]
fn a_clone_of_a_packet_is_refused() {
    const EVERY: u16 = 3;
    // SAFETY: the call takes numbers only.
    let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM, EVERY.to_be().into()) };
    assert!(raw >= 0);
    // SAFETY: just made, and nobody else's.
    let raw = unsafe { OwnedFd::from_raw_fd(raw) };
    let raw = raw.as_raw_fd();
    let (writer, _reader) = udp();
    let mut child = Child::new(|| {
        // Out of and into the loopback interface, among whatever else is under way.
        loop {
            let mut room = [0_u8; 128];
            // SAFETY: as much as there is room for.
            let read = unsafe { libc::recv(raw, room.as_mut_ptr().cast(), room.len(), 0) };
            if read <= 0 || room.windows(MESSAGE.len()).any(|it| it == MESSAGE) {
                break;
            }
        }
        // SAFETY: as above.
        unsafe {
            let mut room = [0_u8; 128];
            libc::recv(raw, room.as_mut_ptr().cast(), room.len(), 0);
        }
    });
    let (samples, totals) = measured(&mut child, false, || {
        writer.send(&MESSAGE).unwrap();
    });
    assert_eq!((samples.len(), totals.measured), (0, 0), "{samples:?}");
    let refused = totals.refusals.iter().map(|it| (it.reason(), it.count));
    let refused: Vec<_> = refused.collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].0 == RefusalReason::UnmatchedEnd && refused[0].1 > 0);
}
