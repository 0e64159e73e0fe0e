//! What the kernel counted for a session: measured, lost, refused.

use latscope_events::{
    class::{ClassStats, KINDS, kind},
    counter::{self, Counters},
    metric::{self, PACKET_METRICS, TCP_RTT},
    refusal::{REASONS, UNMATCHED_START},
};

use super::{lane::Lane, outside::Outside};
use crate::{
    log::SessionLog,
    proto::{Loss, LossStage, Refusal, RefusalReason, Totals},
};

/// Counters of one session, and where the shared ones stood when it began.
pub(crate) struct Books {
    measured: u64,
    refused: [u64; REASONS],
    planes_at_start: Planes,
    group_at_start: Outside,
    /// Losses that readers were told of, by stage.
    told: [u64; 3],
}

/// A session's change of lanes.
pub(crate) struct Change<'a> {
    /// Lanes that it had.
    pub(crate) old: &'a [(u32, Lane)],
    /// Lanes that it has.
    pub(crate) new: &'a [(u32, Lane)],
    /// The counters before.
    pub(crate) before: &'a [Counters],
    /// Lanes that it has no more.
    pub(crate) gone: &'a [(u32, Lane)],
    /// The counters when nothing more could be counted at those.
    pub(crate) after: &'a [Counters],
}

/// What the planes count for a session, added over lanes and CPUs, in the order of [`plane`].
type Planes = [u64; plane::COUNT];

mod plane {
    pub(crate) const RATE_LIMITED: usize = 0;
    pub(crate) const RING_FULL: usize = 1;
    pub(crate) const MAP_FULL: usize = 2;
    pub(crate) const WITHHELD: usize = 3;
    pub(crate) const NO_ROOM: usize = 4;
    pub(crate) const COUNT: usize = 5;
}

/// What is counted for a session in the current bank, or in any.
#[derive(Clone, Copy)]
struct Counted {
    measured: u64,
    refused: [u64; REASONS],
}

impl Books {
    /// Opens the books: what the shared counters show now was for others.
    pub(crate) fn open(lanes: &[(u32, Lane)], counters: &[Counters], group: &Outside) -> Self {
        Self {
            measured: 0,
            refused: [0; REASONS],
            planes_at_start: planes(lanes, counters),
            group_at_start: *group,
            told: [0; 3],
        }
    }

    /// The session goes on with other lanes.
    pub(crate) fn move_lanes(&mut self, change: &Change<'_>) {
        let Change {
            old,
            new,
            before,
            gone,
            after,
        } = *change;
        let at_old = planes(old, before);
        let at_new = planes(new, before);
        let late = planes(gone, after);
        let early = planes(gone, before);
        // What was counted so far is kept as a start that lies so much lower.
        for (plane, start) in self.planes_at_start.iter_mut().enumerate() {
            *start = start
                .wrapping_add(at_new[plane])
                .wrapping_sub(at_old[plane])
                .wrapping_sub(late[plane] - early[plane]);
        }
    }

    /// Takes over the counters of a bank that is about to be cleared.
    pub(crate) fn fold(&mut self, lanes: &[(u32, Lane)], classes: &[(u64, ClassStats)]) {
        let counted = counted(lanes, classes);
        self.measured += counted.measured;
        for (sum, more) in self.refused.iter_mut().zip(counted.refused) {
            *sum += more;
        }
    }

    /// What the planes counted so far.
    fn planes(&self, lanes: &[(u32, Lane)], counters: &[Counters]) -> Planes {
        let mut planes = planes(lanes, counters);
        for (plane, start) in planes.iter_mut().zip(&self.planes_at_start) {
            *plane = plane.wrapping_sub(*start);
        }
        planes
    }

    /// Tells a session's readers what was lost from `since` to `now`.
    pub(crate) fn tell(
        &mut self,
        lanes: &[(u32, Lane)],
        counters: &[Counters],
        log: &SessionLog,
        (since, now): (u64, u64),
    ) {
        for (stage, count) in self.untold(lanes, counters) {
            if count > 0 {
                log.loss(stage, count, since, now);
            }
        }
    }

    /// What was lost since the last call, by stage.
    fn untold(&mut self, lanes: &[(u32, Lane)], counters: &[Counters]) -> [(LossStage, u64); 3] {
        let mut losses = losses(&self.planes(lanes, counters));
        for ((_, count), told) in losses.iter_mut().zip(&mut self.told) {
            let all = *count;
            *count = all - *told;
            *told = all;
        }
        losses
    }

    /// Starts outside flows that were never answered. Whose filter would have let them through is not known: they are counted
    /// for those who have none.
    fn unanswered(&self, lanes: &[(u32, Lane)], group: &Outside) -> u64 {
        let all = |lane: &&Lane| lane.filters.is_empty() && lane.exclude.is_empty();
        let metrics = lanes
            .iter()
            .map(|(_, lane)| lane)
            .filter(all)
            .fold(0, |metrics, lane| metrics | lane.metrics);
        (0..KINDS)
            .filter(|kind| metrics & metrics_of(*kind) != 0)
            .map(|kind| group.unanswered[kind] - self.group_at_start.unanswered[kind])
            .sum()
    }

    /// The session's totals as far as the kernel knows them: `measured`, `aggregated_only`, losses, refusals.
    pub(crate) fn totals(
        &self,
        lanes: &[(u32, Lane)],
        classes: &[(u64, ClassStats)],
        counters: &[Counters],
        group: &Outside,
    ) -> Totals {
        let now = counted(lanes, classes);
        let planes = self.planes(lanes, counters);
        let refusals = (0..REASONS).filter_map(|reason| {
            let outside_flows = group.refused[reason] - self.group_at_start.refused[reason];
            let mut count = self.refused[reason] + now.refused[reason] + outside_flows;
            if reason as u32 == UNMATCHED_START {
                count += self.unanswered(lanes, group);
            }
            let reason = RefusalReason::try_from(reason as i32).ok()?;
            (count > 0).then_some(Refusal {
                reason: reason.into(),
                count,
            })
        });
        Totals {
            measured: self.measured + now.measured + planes[plane::MAP_FULL],
            aggregated_only: planes[plane::WITHHELD],
            losses: losses(&planes)
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(stage, count)| Loss {
                    stage: stage.into(),
                    count,
                    ..Loss::default()
                })
                .collect(),
            refusals: refusals.collect(),
            ..Totals::default()
        }
    }
}

fn counted(lanes: &[(u32, Lane)], classes: &[(u64, ClassStats)]) -> Counted {
    let mut sum = Counted {
        measured: 0,
        refused: [0; REASONS],
    };
    for (mask, stats) in classes {
        let metrics = lanes
            .iter()
            .filter(|(bit, _)| mask >> bit & 1 != 0)
            .fold(0, |metrics, (_, lane)| metrics | lane.metrics);
        for metric in (0..PACKET_METRICS).filter(|metric| metrics >> metric & 1 != 0) {
            sum.measured += stats.measured[metric];
        }
        let rtt = 1 << TCP_RTT;
        let mut add = |refused: &[u64; REASONS]| {
            for (sum, more) in sum.refused.iter_mut().zip(refused) {
                *sum += more;
            }
        };
        if metrics & rtt != 0 {
            add(&stats.refused_rtt);
        }
        if metrics & !rtt != 0 {
            add(&stats.refused);
        }
    }
    sum
}

fn planes(lanes: &[(u32, Lane)], counters: &[Counters]) -> Planes {
    let mut sum = [0; plane::COUNT];
    for (bit, _) in lanes {
        for cpu in counters {
            let read = |planes| counter::read(planes, *bit);
            sum[plane::RATE_LIMITED] += read(&cpu.rate_limited);
            sum[plane::RING_FULL] += read(&cpu.ring_full);
            sum[plane::MAP_FULL] += read(&cpu.map_full);
            sum[plane::WITHHELD] += read(&cpu.withheld);
            sum[plane::NO_ROOM] += read(&cpu.no_room);
        }
    }
    sum
}

/// Metrics that starts of a kind are starts of.
fn metrics_of(kind: usize) -> u32 {
    let metrics: &[u8] = match kind as u32 {
        kind::TCP => &[
            metric::TCP_HANDSHAKE_REMOTE,
            metric::TCP_HANDSHAKE_LOCAL,
            metric::TCP_CONNECT_FAILURE,
        ],
        kind::UDP => &[metric::UDP_REPLY, metric::QUIC_HANDSHAKE],
        kind::ECHO => &[metric::ICMP_ECHO],
        kind::DNS => &[metric::DNS_REPLY],
        kind::SEGMENT => &[metric::TCP_RTT],
        kind::SYN_ACK => &[metric::TCP_HANDSHAKE_LOCAL],
        kind::REQUEST => &[metric::TCP_FIRST_BYTE],
        _ => &[metric::QUIC_HANDSHAKE],
    };
    metrics.iter().fold(0, |bits, metric| bits | 1 << metric)
}

/// Losses by stage. No room for a histogram that was all a session wanted is a full map as much as no room for a class.
fn losses(planes: &Planes) -> [(LossStage, u64); 3] {
    [
        (LossStage::KernelRateLimit, planes[plane::RATE_LIMITED]),
        (LossStage::KernelRingFull, planes[plane::RING_FULL]),
        (
            LossStage::KernelMapFull,
            planes[plane::MAP_FULL] + planes[plane::NO_ROOM],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::zero;

    fn lane(metrics: u32) -> Lane {
        Lane::unfiltered(metrics)
    }

    fn class(rtt: u64, handshake: u64, retransmitted: u64) -> ClassStats {
        let mut stats: ClassStats = zero();
        stats.measured[3] = rtt;
        stats.measured[1] = handshake;
        stats.refused_rtt[1] = retransmitted;
        stats
    }

    #[test]
    fn a_session_counts_its_metrics_in_every_class_it_is_in() {
        let classes = [
            (0b01, class(5, 1, 2)),
            (0b11, class(7, 1, 0)),
            (0b10, class(100, 9, 50)),
        ];
        let lanes = [(0, lane(1 << 3))];
        let mut books = Books::open(&lanes, &[], &Outside::NOTHING);
        books.fold(&lanes, &classes);
        let totals = books.totals(&lanes, &classes, &[], &Outside::NOTHING);
        assert_eq!(totals.measured, 2 * (5 + 7));
        assert_eq!(
            totals.refusals,
            [Refusal {
                reason: 1,
                count: 4
            }]
        );
    }

    #[test]
    fn what_stood_in_the_shared_counters_was_for_others() {
        let lanes = [(5, lane(1 << 3))];
        let mut cpu: Counters = zero();
        counter::write(&mut cpu.ring_full, 5, 10);
        let books = Books::open(&lanes, &[cpu], &Outside::NOTHING);
        counter::write(&mut cpu.ring_full, 5, 13);
        counter::write(&mut cpu.map_full, 5, 4);
        counter::write(&mut cpu.withheld, 5, 6);
        counter::write(&mut cpu.no_room, 5, 2);
        let totals = books.totals(&lanes, &[], &[cpu], &Outside::NOTHING);
        let losses: Vec<_> = totals
            .losses
            .iter()
            .map(|it| (it.stage, it.count))
            .collect();
        assert_eq!(
            losses,
            [
                (LossStage::KernelRingFull as i32, 3),
                (LossStage::KernelMapFull as i32, 6)
            ]
        );
        assert_eq!((totals.measured, totals.aggregated_only), (4, 6));
    }
}
