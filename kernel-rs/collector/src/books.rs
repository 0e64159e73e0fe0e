//! The arithmetic of `loss.proto`: what a session and each of its readers account for.

use crate::proto::{Loss, LossStage, Refusal, Totals};

/// A session's totals out of what its engines counted and its log received.
///
/// `measured = delivered + aggregated_only + in_flight + losses` holds whenever it is called: the kernel's counters are read at
/// another moment than the log, so that samples which the counters have not seen yet raise `measured`.
pub(crate) fn session(
    engines: impl IntoIterator<Item = Totals>,
    delivered: u64,
    beyond_limit: u64,
) -> Totals {
    let mut totals = add(engines);
    totals.delivered = delivered;
    totals.aggregated_only += beyond_limit;
    let accounted = delivered + totals.aggregated_only + lost(&totals);
    totals.measured = totals.measured.max(accounted);
    totals.in_flight = totals.measured - accounted;
    totals
}

/// What several parts of a session counted: `measured`, `aggregated_only`, losses, refusals.
pub(crate) fn add(parts: impl IntoIterator<Item = Totals>) -> Totals {
    let mut totals = Totals::default();
    for engine in parts {
        totals.measured += engine.measured;
        totals.aggregated_only += engine.aggregated_only;
        for loss in engine.losses {
            add_loss(&mut totals.losses, loss);
        }
        for refusal in engine.refusals {
            match totals
                .refusals
                .iter_mut()
                .find(|it| it.reason == refusal.reason)
            {
                Some(known) => known.count += refusal.count,
                None => totals.refusals.push(refusal),
            }
        }
    }
    totals
}

/// A session's totals as of the moment when its histograms were read, which was between `totals` and those that `after` tells:
/// `measured` is then what the histograms counted and what they had no room for. As they are, where a metric has no histograms.
///
/// `cpus` programs at most are in the midst of a latency that they have counted and not yet entered.
pub(crate) fn as_of(
    counted: u64,
    cpus: u64,
    totals: Totals,
    after: impl FnOnce() -> Totals,
) -> Totals {
    let stage = LossStage::KernelMapFull as i32;
    let no_room = totals.losses.iter().filter(|it| it.stage == stage);
    let there = counted + no_room.map(|it| it.count).sum::<u64>();
    let accounted = totals.measured - totals.in_flight;
    let possible = accounted.max(totals.measured.saturating_sub(cpus));
    if there == totals.measured || there < possible || there > after().measured {
        return totals;
    }
    Totals {
        in_flight: there - accounted,
        measured: there,
        ..totals
    }
}

/// What happened between two readings of a session's totals; `in_flight` is that of the later one.
pub(crate) fn since(now: &Totals, earlier: &Totals) -> Totals {
    let losses = now.losses.iter().filter_map(|loss| {
        let old = earlier.losses.iter().find(|it| it.stage == loss.stage);
        let count = loss.count.saturating_sub(old.map_or(0, |it| it.count));
        (count > 0).then_some(Loss {
            count,
            // When the first of these was lost is not kept.
            first_time: loss.first_time.filter(|_| old.is_none()),
            ..*loss
        })
    });
    let refusals = now.refusals.iter().filter_map(|refusal| {
        let old = earlier
            .refusals
            .iter()
            .find(|it| it.reason == refusal.reason);
        let count = refusal.count.saturating_sub(old.map_or(0, |it| it.count));
        (count > 0).then_some(Refusal { count, ..*refusal })
    });
    Totals {
        measured: now.measured.saturating_sub(earlier.measured),
        delivered: now.delivered.saturating_sub(earlier.delivered),
        filtered: now.filtered.saturating_sub(earlier.filtered),
        aggregated_only: now.aggregated_only.saturating_sub(earlier.aggregated_only),
        losses: losses.collect(),
        refusals: refusals.collect(),
        in_flight: now.in_flight,
    }
}

/// Adds a loss to the one of its stage.
pub(crate) fn add_loss(losses: &mut Vec<Loss>, loss: Loss) {
    if loss.count == 0 {
        return;
    }
    match losses.iter_mut().find(|it| it.stage == loss.stage) {
        Some(known) => {
            known.count += loss.count;
            known.first_time = earliest(known.first_time, loss.first_time);
            known.last_time = known
                .last_time
                .into_iter()
                .chain(loss.last_time)
                .max_by_key(order);
        }
        None => losses.push(loss),
    }
}

fn earliest(
    one: Option<prost_types::Timestamp>,
    other: Option<prost_types::Timestamp>,
) -> Option<prost_types::Timestamp> {
    one.into_iter().chain(other).min_by_key(order)
}

fn order(time: &prost_types::Timestamp) -> (i64, i32) {
    (time.seconds, time.nanos)
}

/// Lost at all stages together.
pub(crate) fn lost(totals: &Totals) -> u64 {
    totals.losses.iter().map(|it| it.count).sum()
}

/// A loss as a message; a time of 0 is not known.
pub(crate) fn loss(stage: LossStage, lost: crate::log::loss::Lost) -> Loss {
    let time = |unix_ns: u64| (unix_ns > 0).then(|| crate::spec::time::timestamp(unix_ns));
    Loss {
        stage: stage as i32,
        count: lost.count,
        first_time: time(lost.first_unix_ns),
        last_time: time(lost.last_unix_ns),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::RefusalReason;

    fn engine(measured: u64, aggregated_only: u64, ring: u64, rate: u64) -> Totals {
        let loss = |stage: LossStage, count| Loss {
            stage: stage as i32,
            count,
            ..Loss::default()
        };
        Totals {
            measured,
            aggregated_only,
            losses: vec![
                loss(LossStage::KernelRingFull, ring),
                loss(LossStage::KernelRateLimit, rate),
            ],
            refusals: vec![Refusal {
                reason: RefusalReason::Fragment as i32,
                count: 1,
            }],
            ..Totals::default()
        }
    }

    #[test]
    fn what_is_not_accounted_for_is_in_flight() {
        let totals = session([engine(100, 10, 5, 0)], 80, 2);
        assert_eq!((totals.measured, totals.in_flight), (100, 3));
        assert_eq!((totals.aggregated_only, totals.losses.len()), (12, 1));
    }

    #[test]
    fn what_was_measured_is_what_the_histograms_read_meanwhile_hold() {
        let at = |measured| session([engine(measured, 10, 5, 0)], 80, 2);
        let measured = |counted| {
            let totals = as_of(counted, 2, at(100), || at(120));
            assert_eq!(totals.in_flight, totals.measured - 97);
            totals.measured
        };
        assert_eq!(
            [97, 98, 100, 101, 120, 121].map(measured),
            [100, 98, 100, 101, 120, 100]
        );
        // Of a metric without histograms, and of one that had no room for some.
        assert_eq!(measured(0), 100);
        let mut full = engine(100, 10, 5, 0);
        full.losses[1].stage = LossStage::KernelMapFull as i32;
        full.losses[1].count = 7;
        let totals = as_of(95, 2, session([full], 70, 0), || at(120));
        assert_eq!((totals.measured, totals.in_flight), (102, 10));
    }

    #[test]
    fn an_interval_accounts_for_what_was_in_flight_before_it() {
        let earlier = session([engine(100, 10, 5, 0)], 80, 2);
        let now = session([engine(150, 12, 5, 4)], 120, 2);
        let since = since(&now, &earlier);
        assert_eq!(
            (since.measured, since.delivered, since.aggregated_only),
            (50, 40, 2)
        );
        assert_eq!(
            since.losses.iter().map(|it| it.count).collect::<Vec<_>>(),
            [4]
        );
        assert_eq!(since.refusals, []);
        assert_eq!(
            earlier.in_flight + since.measured,
            since.delivered + since.aggregated_only + since.in_flight + lost(&since)
        );
    }

    proptest! {
        #[test]
        fn the_books_balance_whenever_they_are_read(
            counts in proptest::collection::vec((0..1000_u64, 0..1000_u64, 0..1000_u64, 0..1000_u64), 0..4),
            delivered in 0..1000_u64,
            beyond in 0..1000_u64,
        ) {
            let engines = counts.iter().map(|(a, b, c, d)| engine(*a, *b, *c, *d)).collect::<Vec<_>>();
            let refusals = engines.len() as u64;
            let totals = session(engines, delivered, beyond);
            prop_assert_eq!(
                totals.measured,
                totals.delivered + totals.aggregated_only + totals.in_flight + lost(&totals)
            );
            prop_assert_eq!(totals.refusals.iter().map(|it| it.count).sum::<u64>(), refusals);
        }
    }
}
