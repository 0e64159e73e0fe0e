//! Plays a scenario.

use std::{cmp::Reverse, collections::BinaryHeap};

use latscope_matching::segment::{ACK, SYN};

use crate::{
    connection::{Connection, Flight, cross},
    packet::{Capture, Packet},
    receiving::Reply,
    scenario::Scenario,
    sending::Cut,
};

/// When the first flow begins, ns: no packet has the time 0.
const BEGIN: u64 = 1_000_000_000;
/// When the simulation ends at the latest, ns.
const END: u64 = BEGIN + 3_600_000_000_000;
/// Time between the parts of a packet that was cut up, ns.
const PART_GAP: u64 = 1000;
/// Unanswered keep-alives, and those of an idle connection, after which a host stops.
const PROBES: u32 = 3;

/// Plays the scenario until nothing more happens, or the capture is long enough.
#[must_use]
pub fn run(scenario: &Scenario) -> Capture {
    let mut rng = fastrand::Rng::with_seed(scenario.seed);
    let connections = (0..scenario.flows)
        .map(|_| Connection::new(scenario, &mut rng))
        .collect();
    let mut simulation = Simulation {
        scenario,
        rng,
        connections,
        queue: BinaryHeap::new(),
        planned: 0,
        last: 0,
        capture: Capture {
            packets: Vec::new(),
            ipv6: scenario.ipv6,
        },
    };
    for flow in 0..scenario.flows as u32 {
        let at = BEGIN + simulation.rng.u64(0..=scenario.spread_ns);
        simulation.plan(at, flow, What::Begin);
    }
    simulation.play();
    simulation.capture
}

#[derive(Clone, Copy, Debug)]
enum What {
    Begin,
    Pass(Flight),
    Arrive(Flight),
    Write(u8),
    /// A timer of this host may have run out.
    Timer(u8),
}

/// Ordered by time, then by when it was planned.
#[derive(Debug)]
struct Event {
    time: u64,
    order: u64,
    flow: u32,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.order).cmp(&(other.time, other.order))
    }
}

struct Simulation<'a> {
    scenario: &'a Scenario,
    rng: fastrand::Rng,
    connections: Vec<Connection>,
    queue: BinaryHeap<Reverse<Event>>,
    planned: u64,
    last: u64,
    capture: Capture,
}

impl Simulation<'_> {
    fn plan(&mut self, time: u64, flow: u32, what: What) {
        self.planned += 1;
        self.queue.push(Reverse(Event {
            time,
            order: self.planned,
            flow,
            what,
        }));
    }

    fn play(&mut self) {
        while let Some(Reverse(event)) = self.queue.pop() {
            let Event {
                time, flow, what, ..
            } = event;
            if time > END || self.capture.packets.len() >= self.scenario.packets {
                return;
            }
            match what {
                What::Begin => {
                    self.connections[flow as usize].hosts[0].nxt = 1;
                    self.send(time, flow, 0, (0, 0, SYN));
                    self.arm(time, flow, 0);
                }
                What::Pass(flight) => self.pass(time, flow, flight),
                What::Arrive(flight) => self.arrive(time, flow, &flight),
                What::Write(side) => self.write(time, flow, side),
                What::Timer(side) => self.timer(time, flow, side),
            }
        }
    }

    /// A host sends a segment.
    fn send(&mut self, now: u64, flow: u32, side: u8, cut: Cut) {
        let Self {
            scenario,
            rng,
            connections,
            ..
        } = self;
        let connection = &mut connections[flow as usize];
        let host = &mut connection.hosts[usize::from(side)];
        let leaves = now.max(host.free_at);
        let segments = u64::from(cut.1.div_ceil(scenario.mss)).max(1);
        host.free_at = leaves + segments * scenario.gap_ns;
        let flight = host.flight(scenario, side, leaves, cut);
        let own = usize::from(side);
        if let Some(delay) = cross(&scenario.legs[own], connection.delay[own], side, rng) {
            self.plan(leaves + delay, flow, What::Pass(flight));
        }
    }

    /// A packet passes the monitor.
    fn pass(&mut self, now: u64, flow: u32, mut flight: Flight) {
        let time = now.max(self.last + 1);
        self.last = time;
        let hosts = &self.connections[flow as usize].hosts;
        let (from, to) = (usize::from(flight.side), usize::from(1 - flight.side));
        if time >= self.scenario.blind_ns {
            flight.id = Some(self.capture.packets.len() as u32);
            self.capture.packets.push(Packet {
                time_ns: time,
                flow,
                side: flight.side,
                flags: flight.flags,
                start: flight.start,
                payload: flight.payload,
                ack: flight.ack,
                wire_seq: hosts[from].isn.wrapping_add(flight.start as u32),
                wire_ack: if flight.flags & ACK == 0 {
                    0
                } else {
                    hosts[to].isn.wrapping_add(flight.ack as u32)
                },
                timestamps: flight.timestamps,
                cause: flight.cause,
                first_answer: flight.first_answer,
                trigger: flight.trigger,
                echoed: flight.echoed,
                first_echo: flight.first_echo,
            });
        }
        let mut at = time;
        for part in parts(flight, self.scenario.mss) {
            let delay = self.connections[flow as usize].delay[to];
            if let Some(delay) = cross(&self.scenario.legs[to], delay, part.side, &mut self.rng) {
                self.plan(at + delay, flow, What::Arrive(part));
            }
            at += PART_GAP;
        }
    }

    fn arrive(&mut self, now: u64, flow: u32, flight: &Flight) {
        let side = 1 - flight.side;
        let scenario = self.scenario;
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        if host.rcv == 0 && flight.flags & SYN == 0 {
            return;
        }
        if flight.flags & SYN != 0 && host.rcv == 0 && side == 1 {
            host.nxt = 1;
        }
        host.probes = 0;
        host.echo_next(flight);
        let mut again = None;
        if flight.flags & ACK != 0 {
            let bare = flight.end() == flight.start;
            again = host.acknowledge(scenario, flight.ack, bare, now);
            host.established |= host.una > 0;
        }
        let reply = host.receive(scenario, flight, now);
        if reply == Reply::Duplicate {
            host.trigger = flight.id;
        }
        let opening = flight.flags & (SYN | ACK) == SYN;
        if opening {
            host.trigger = flight.id;
            self.send(now, flow, side, (0, 0, SYN | ACK));
            self.arm(now, flow, side);
            return;
        }
        let sent = again.is_some_and(|position| self.repeat(now, flow, side, position));
        let sent = self.resend(now, flow, side) || sent;
        self.consider_write(now, flow, side);
        let host = &self.connections[flow as usize].hosts[usize::from(side)];
        let bare = (host.nxt, 0, ACK);
        match reply {
            Reply::Duplicate => self.send(now, flow, side, bare),
            Reply::Now if !self.send_new(now, flow, side) && !sent => {
                self.send(now, flow, side, bare);
            }
            _ => {}
        }
        self.send_new(now, flow, side);
        self.arm_others(now, flow, side);
    }

    /// Sends whatever the window has room for; whether anything.
    fn send_new(&mut self, now: u64, flow: u32, side: u8) -> bool {
        let mut any = false;
        while let Some(cut) =
            self.connections[flow as usize].hosts[usize::from(side)].next(self.scenario)
        {
            self.send(now, flow, side, cut);
            any = true;
        }
        if any {
            let host = &self.connections[flow as usize].hosts[usize::from(side)];
            if host.timeout_at.is_none() {
                self.arm(now, flow, side);
            }
        }
        any
    }

    /// Sends again at a position; whether there was anything.
    fn repeat(&mut self, now: u64, flow: u32, side: u8, position: u64) -> bool {
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        let Some(cut) = host.repeat(self.scenario, position, &mut self.rng) else {
            return false;
        };
        self.send(now, flow, side, cut);
        self.arm(now, flow, side);
        true
    }

    /// After a timeout: two segments for each acknowledgement, until everything was sent again; whether any.
    fn resend(&mut self, now: u64, flow: u32, side: u8) -> bool {
        let mut any = false;
        for _ in 0..2 {
            let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
            let Some(position) = host.again else {
                break;
            };
            let Some(cut) = host.repeat(self.scenario, position, &mut self.rng) else {
                host.again = None;
                break;
            };
            let end =
                position + u64::from(cut.1) + u64::from(cut.2 & latscope_matching::segment::FIN);
            host.again = (end < host.nxt).then_some(end);
            self.send(now, flow, side, cut);
            any = true;
        }
        any
    }

    /// Plans the application's next write once it is due.
    fn consider_write(&mut self, now: u64, flow: u32, side: u8) {
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        let writes = &self.scenario.writes[usize::from(side)];
        if host.write_planned || !host.established {
            return;
        }
        if let Some(write) = writes.get(host.write) {
            if host.received_bytes() >= write.after_received {
                host.write_planned = true;
                self.plan(now + write.delay_ns, flow, What::Write(side));
            }
        } else if self.scenario.fin && host.fin.is_none() {
            host.fin = Some(host.queued);
            host.queued += 1;
        }
    }

    fn write(&mut self, now: u64, flow: u32, side: u8) {
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        let bytes = self.scenario.writes[usize::from(side)][host.write].bytes;
        host.queued += bytes;
        host.write += 1;
        host.write_planned = false;
        self.consider_write(now, flow, side);
        self.send_new(now, flow, side);
        self.arm_others(now, flow, side);
    }

    /// Starts the retransmission timer anew.
    fn arm(&mut self, now: u64, flow: u32, side: u8) {
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        host.arm(self.scenario, now);
        if let Some(at) = host.timeout_at {
            self.plan(at, flow, What::Timer(side));
        }
    }

    /// Starts what other timers are due: delayed acknowledgement, keep-alive, and a retransmission timer that was renewed.
    fn arm_others(&mut self, now: u64, flow: u32, side: u8) {
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        let idle =
            host.established && !host.outstanding() && host.probes < PROBES && host.fin.is_none();
        host.probe_at = self
            .scenario
            .keep_alive_ns
            .filter(|_| idle)
            .map(|after| now + after);
        for at in [host.ack_at, host.timeout_at, host.probe_at]
            .into_iter()
            .flatten()
        {
            self.plan(at, flow, What::Timer(side));
        }
    }

    fn timer(&mut self, now: u64, flow: u32, side: u8) {
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        if host.ack_at == Some(now) {
            let bare = (host.nxt, 0, ACK);
            self.send(now, flow, side, bare);
        }
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        if host.probe_at == Some(now) {
            host.probe_at = None;
            host.probes += 1;
            // With a byte of old data, as some stacks do, or without.
            let garbage = u32::from(host.nxt > 1 && self.rng.bool());
            let probe = (host.nxt - 1, garbage, ACK);
            self.send(now, flow, side, probe);
            self.arm_others(now, flow, side);
        }
        let host = &mut self.connections[flow as usize].hosts[usize::from(side)];
        if host.timeout_at == Some(now) {
            let position = host.timed_out(self.scenario);
            if host.again.is_some() {
                self.resend(now, flow, side);
                self.arm(now, flow, side);
            } else {
                self.repeat(now, flow, side, position);
            }
        }
    }
}

/// What is left of a packet behind the monitor: segments.
fn parts(flight: Flight, mss: u32) -> Vec<Flight> {
    if flight.payload <= mss {
        return vec![flight];
    }
    let pieces = flight.payload.div_ceil(mss);
    (0..pieces)
        .map(|piece| {
            let last = piece + 1 == pieces;
            Flight {
                start: flight.start + u64::from(piece * mss),
                payload: mss.min(flight.payload - piece * mss),
                flags: if last { flight.flags } else { ACK },
                ..flight
            }
        })
        .collect()
}
