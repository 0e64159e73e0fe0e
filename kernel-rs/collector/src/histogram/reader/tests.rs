use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{
    histogram::testing::{self, Counter},
    proto::{
        self, Group, HistogramBatch, SessionSpec, SessionState, StreamHistogramsResponse,
        stream_histograms_request::Source, stream_histograms_response::Event,
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn of_session() -> StreamHistogramsRequest {
    StreamHistogramsRequest {
        source: Some(Source::Session("sessions/s".into())),
        ..StreamHistogramsRequest::default()
    }
}

/// A reader whose clock stands still but for the test.
struct Client {
    reader: HistogramReader,
    now: Instant,
}

impl Client {
    fn open(session: &Arc<Session>, request: &StreamHistogramsRequest) -> Self {
        let reader = HistogramReader::open(
            session.clone(),
            request,
            ("nodes/a", "sessions/s"),
            &Scope::default(),
        )
        .unwrap();
        Self {
            reader,
            now: Instant::now(),
        }
    }

    /// The messages that there are now.
    fn take(&self) -> Vec<Event> {
        let mut messages = Vec::new();
        loop {
            match self.reader.shared.step_at(self.now) {
                Step::Send(bytes) => {
                    let message = StreamHistogramsResponse::decode(&bytes[..]).unwrap();
                    assert_eq!(
                        (message.node.as_str(), message.session.as_str()),
                        ("nodes/a", "sessions/s")
                    );
                    messages.push(message.event.unwrap());
                }
                Step::Read { not_before } => {
                    self.reader.shared.read(not_before, self.now).unwrap();
                }
                Step::Wait { .. } | Step::Done => return messages,
            }
        }
    }

    fn take_after(&mut self, time: Duration) -> Vec<Event> {
        self.now += time;
        self.take()
    }

    fn batches_after(&mut self, time: Duration) -> Vec<HistogramBatch> {
        batches(self.take_after(time))
    }
}

fn batches(events: Vec<Event>) -> Vec<HistogramBatch> {
    let batch = |event| match event {
        Event::Batch(batch) => Some(batch),
        _ => None,
    };
    events.into_iter().filter_map(batch).collect()
}

/// Count and sum by server port; `other` without one.
fn told(batch: &HistogramBatch) -> Vec<(String, u64, u64)> {
    let row = |it: &proto::GroupHistogram| {
        let group = it.group.as_ref().unwrap();
        let port = group.keys.get("server_port").cloned().unwrap_or_default();
        let histogram = it.histogram.as_ref().unwrap();
        (port, histogram.count, histogram.sum_ns)
    };
    batch.groups.iter().map(row).collect()
}

#[test]
fn each_interval_has_what_was_counted_in_it() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    counter.record(443, 1);
    let mut client = Client::open(&session, &of_session());
    let start = client.take();
    assert!(matches!(&start[..], [Event::Start(it)] if it.effective_spec.is_some()));
    counter.record(443, 10);
    counter.record(443, 30);
    counter.record(80, 5);
    let first = client.batches_after(SECOND);
    assert_eq!(first.len(), 1);
    assert_eq!(
        told(&first[0]),
        [("443".into(), 2, 40), ("80".into(), 1, 5)]
    );
    let histogram = first[0].groups[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.min_ns, histogram.max_ns), (None, Some(30)));
    assert_eq!(first[0].totals.as_ref().unwrap().measured, 3);
    let second = client.batches_after(SECOND);
    assert_eq!(second[0].groups, []);
    assert_eq!(second[0].start_time, first[0].end_time);
    assert_eq!(client.reader.totals().delivered, 3);
}

#[test]
fn cumulative_has_everything_since_the_session_began() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    counter.record(443, 1);
    let request = StreamHistogramsRequest {
        cumulative: true,
        ..of_session()
    };
    let mut client = Client::open(&session, &request);
    assert_eq!(client.take().len(), 1);
    let first = client.batches_after(SECOND);
    counter.record(443, 10);
    let second = client.batches_after(SECOND);
    assert_eq!(told(&first[0]), [("443".into(), 1, 1)]);
    assert_eq!(told(&second[0]), [("443".into(), 2, 11)]);
    assert_eq!(first[0].start_time, second[0].start_time);
    let histogram = second[0].groups[0].histogram.clone();
    assert_eq!(histogram, counter.counted(443));
    assert_eq!(second[0].totals.as_ref().unwrap().measured, 2);
    assert_eq!(client.reader.totals().delivered, 2);
}

#[test]
fn a_slow_reader_gets_a_wider_interval() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    let mut client = Client::open(&session, &of_session());
    client.take();
    counter.record(443, 10);
    client.now += SECOND;
    counter.record(443, 20);
    let wide = client.batches_after(5 * SECOND);
    assert_eq!(
        wide.iter().map(told).collect::<Vec<_>>(),
        [[("443".to_owned(), 2, 30)]]
    );
}

#[test]
fn silence_in_a_long_interval_is_told_every_second() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    let request = StreamHistogramsRequest {
        interval: Some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        }),
        ..of_session()
    };
    let mut client = Client::open(&session, &request);
    client.take();
    for _ in 0..3 {
        let beat = client.take_after(SECOND);
        assert!(matches!(&beat[..], [Event::Heartbeat(it)] if it.watermark.is_some()));
    }
    assert_eq!(client.batches_after(57 * SECOND).len(), 1);
}

#[test]
fn the_end_comes_after_the_interval_so_far() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    let client = Client::open(&session, &of_session());
    client.take();
    counter.record(443, 10);
    session.stop(EndReason::SessionStopped);
    let last = client.take();
    let [
        Event::SessionChange(change),
        Event::Batch(batch),
        Event::End(end),
    ] = &last[..]
    else {
        panic!("{last:?}");
    };
    assert_eq!(change.state, SessionState::Stopped as i32);
    assert_eq!(told(batch), [("443".into(), 1, 10)]);
    assert_eq!(end.reason, EndReason::SessionStopped as i32);
    assert_eq!(end.totals.as_ref().unwrap().delivered, 1);
    assert_eq!(end.session_totals.as_ref().unwrap().measured, 1);
    assert_eq!(client.take(), []);
}

#[test]
fn a_stopped_session_is_one_interval_until_it_is_deleted() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    counter.record(443, 10);
    session.stop(EndReason::SessionStopped);
    let readings = counter.readings();
    for cumulative in [false, true] {
        let request = StreamHistogramsRequest {
            cumulative,
            ..of_session()
        };
        let events = Client::open(&session, &request).take();
        assert_eq!(events.len(), 3, "Start, batch, End");
        let batches = batches(events);
        assert_eq!(told(&batches[0]), [("443".into(), 1, 10)]);
        assert_eq!(batches[0].groups[0].histogram, counter.counted(443));
    }
    assert_eq!(counter.readings(), readings, "it is not read again");
    session.close();
    let failure =
        HistogramReader::open(session, &of_session(), ("", ""), &Scope::default()).unwrap_err();
    assert_eq!(failure.reason(), Reason::Closed);
}

#[test]
fn a_session_of_the_stream_is_told_from_its_beginning() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    counter.record(443, 10);
    let request = StreamHistogramsRequest {
        source: Some(Source::Spec(SessionSpec::default())),
        ..StreamHistogramsRequest::default()
    };
    let mut client = Client::open(&session, &request);
    client.take();
    let first = client.batches_after(SECOND);
    assert_eq!(told(&first[0]), [("443".into(), 1, 10)]);
}

#[test]
fn whoever_ends_the_stream_or_the_session_leaves_nothing_untold() {
    for delete in [false, true] {
        let counter = Counter::default();
        let session = testing::session(&counter);
        let mut client = Client::open(&session, &of_session());
        client.take();
        counter.record(443, 10);
        let reason = if delete {
            session.close();
            EndReason::SessionDeleted
        } else {
            client.reader.end(EndReason::Draining);
            EndReason::Draining
        };
        let last = client.take_after(SECOND);
        assert!(matches!(last.last(), Some(Event::End(it)) if it.reason == reason as i32));
        assert_eq!(
            batches(last).iter().map(told).collect::<Vec<_>>(),
            [[("443".to_owned(), 1, 10)]]
        );
    }
}

#[test]
fn groups_are_told_as_the_client_wants_them() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    for (port, latency) in [(1, 1), (2, 2), (2, 2), (3, 3), (3, 3), (3, 3)] {
        counter.record(port, latency);
    }
    let batch = |request| {
        let mut client = Client::open(&session, &request);
        client.take();
        client.batches_after(SECOND).remove(0)
    };
    let cumulative = StreamHistogramsRequest {
        cumulative: true,
        ..of_session()
    };
    let few = batch(StreamHistogramsRequest {
        max_groups: 1,
        ..cumulative.clone()
    });
    assert_eq!(told(&few), [("3".into(), 3, 9), (String::new(), 3, 5)]);
    assert!(few.groups[1].group.as_ref().unwrap().other);
    let ungrouped = batch(StreamHistogramsRequest {
        ungrouped: true,
        ..cumulative.clone()
    });
    assert_eq!(told(&ungrouped), [(String::new(), 6, 14)]);
    let by_protocol = batch(StreamHistogramsRequest {
        group_by: vec![proto::GroupBy::Protocol as i32],
        ..cumulative
    });
    let group = by_protocol.groups[0].group.clone().unwrap();
    assert_eq!(
        group.keys.into_iter().collect::<Vec<_>>(),
        [("protocol".into(), "tcp".into())]
    );
}

#[test]
fn every_wrong_field_is_named() {
    let request = StreamHistogramsRequest {
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 99_999_999,
        }),
        max_groups: 65_537,
        group_by: vec![proto::GroupBy::Interface as i32],
        ..of_session()
    };
    let session = testing::session(&Counter::default());
    let fields = ["interval", "max_groups", "group_by[0]"];
    for failure in [
        HistogramReader::open(session, &request, ("", ""), &Scope::default()).unwrap_err(),
        HistogramReader::check(&request, "", &Scope::default()).unwrap_err(),
    ] {
        let told = failure.violations().iter().map(|it| it.field.as_str());
        assert_eq!(told.collect::<Vec<_>>(), fields);
    }
    let day = prost_types::Duration {
        seconds: 86_400,
        nanos: 0,
    };
    for interval in [None, Some(day)] {
        let request = StreamHistogramsRequest {
            interval,
            source: Some(Source::Spec(SessionSpec {
                collection: Some(proto::Collection {
                    group_by: vec![proto::GroupBy::Interface as i32],
                    ..proto::Collection::default()
                }),
                ..SessionSpec::default()
            })),
            group_by: vec![proto::GroupBy::Interface as i32],
            ..StreamHistogramsRequest::default()
        };
        HistogramReader::check(&request, "", &Scope::default()).unwrap();
    }
}

#[tokio::test]
async fn a_kernel_that_fails_is_told_and_readers_are_counted() {
    let counter = Counter::default();
    let session = testing::session(&counter);
    let reader =
        HistogramReader::open(session.clone(), &of_session(), ("", ""), &Scope::default()).unwrap();
    assert_eq!(session.stats().unwrap().subscribers, 1);
    counter.fail();
    let failure = reader.next().await.unwrap_err();
    assert_eq!(failure.reason(), Reason::KernelError);
    reader.close();
    reader.close();
    assert_eq!(reader.next().await, Ok(None));
    assert_eq!(session.stats().unwrap().subscribers, 0);
}

#[tokio::test]
async fn close_answers_who_waits() {
    let session = testing::session(&Counter::default());
    let reader =
        HistogramReader::open(session, &of_session(), ("", ""), &Scope::default()).unwrap();
    assert!(reader.next().await.unwrap().is_some());
    let (answer, second) = tokio::join!(reader.next(), async {
        let second = reader.next().await.unwrap_err();
        reader.close();
        second
    });
    assert_eq!(answer, Ok(None));
    assert_eq!(second.reason(), Reason::NextConcurrent);
}

/// What happens between two looks of a reader.
#[derive(Clone, Debug)]
enum Deed {
    Record(u16, u64),
    Read(u16),
}

fn any_deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        3 => (0..5_u16, 0..1_000_000_u64).prop_map(|it| Deed::Record(it.0, it.1)),
        1 => (0..4000_u16).prop_map(Deed::Read),
    ];
    proptest::collection::vec(deed, 0..60)
}

/// Count, sum and buckets by group, over all batches.
fn sum(batches: &[HistogramBatch]) -> BTreeMap<Group, (u64, u64, BTreeMap<i32, u64>)> {
    let mut sums = BTreeMap::new();
    for it in batches.iter().flat_map(|it| &it.groups) {
        let histogram = it.histogram.as_ref().unwrap();
        let sum: &mut (u64, u64, BTreeMap<i32, u64>) =
            sums.entry(it.group.clone().unwrap()).or_default();
        sum.0 += histogram.count;
        sum.1 += histogram.sum_ns;
        for (at, count) in histogram.counts.iter().enumerate().filter(|it| *it.1 > 0) {
            *sum.2.entry(histogram.offset + at as i32).or_default() += count;
        }
    }
    sums
}

proptest! {
    #[test]
    fn all_intervals_together_are_everything(deeds in any_deeds(), max_groups in 1..6_u32) {
        let counter = Counter::default();
        let session = testing::session(&counter);
        let mut whole = Client::open(&session, &of_session());
        let mut few = Client::open(&session, &StreamHistogramsRequest { max_groups, ..of_session() });
        let mut received = [batches(whole.take()), batches(few.take())];
        for deed in deeds {
            match deed {
                Deed::Record(port, latency) => counter.record(port, latency),
                Deed::Read(milliseconds) => {
                    let time = Duration::from_millis(milliseconds.into());
                    received[0].extend(whole.batches_after(time));
                    received[1].extend(few.batches_after(time));
                }
            }
        }
        session.stop(EndReason::SessionStopped);
        received[0].extend(batches(whole.take()));
        received[1].extend(batches(few.take()));
        let cumulative = StreamHistogramsRequest { cumulative: true, ..of_session() };
        let all = batches(Client::open(&session, &cumulative).take());
        prop_assert_eq!(sum(&received[0]), sum(&all));
        let count = |batches: &[HistogramBatch]| sum(batches).values().map(|it| (it.0, it.1)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        prop_assert_eq!(count(&received[1]), count(&all));
        for reader in &received {
            let measured = reader.iter().map(|it| it.totals.as_ref().unwrap().measured).sum::<u64>();
            prop_assert_eq!(measured, session.totals().measured);
            for pair in reader.windows(2) {
                prop_assert_eq!(&pair[0].end_time, &pair[1].start_time);
            }
        }
    }
}
