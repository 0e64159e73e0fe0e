//! The books of every reader, whatever happens.

use super::*;

/// What happens to a session and its readers.
#[derive(Clone, Debug)]
enum Act {
    Append(u64),
    KernelLoss(u64),
    Read(usize, u8),
    Pass(usize, u64),
    Resume(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..3000_u64).prop_map(Act::Append),
        1 => (1..9_u64).prop_map(Act::KernelLoss),
        6 => (0..3_usize, 1..30_u8).prop_map(|(who, steps)| Act::Read(who, steps)),
        2 => (0..3_usize, 1..1500_u64).prop_map(|(who, milliseconds)| Act::Pass(who, milliseconds)),
        1 => (0..3_usize).prop_map(Act::Resume),
    ]
}

fn any_request() -> impl Strategy<Value = StreamSamplesRequest> {
    let overflow = prop_oneof![
        Just(OverflowPolicy::DropOldest),
        Just(OverflowPolicy::DropNewest),
        Just(OverflowPolicy::Sample)
    ];
    let encoding = prop_oneof![Just(Encoding::Rows), Just(Encoding::Columns)];
    (
        overflow,
        encoding,
        any::<bool>(),
        any::<bool>(),
        prop_oneof![Just(0), 1..40_000_u32],
    )
        .prop_map(|(overflow, encoding, oldest, filtered, max_batch_bytes)| {
            StreamSamplesRequest {
                start: oldest.then_some(Start::Position(Position::Oldest as i32)),
                overflow: overflow as i32,
                encoding: encoding as i32,
                max_batch_bytes,
                filters: if filtered {
                    vec![port_443()]
                } else {
                    Vec::new()
                },
                ..StreamSamplesRequest::default()
            }
        })
}

/// One client through all its reconnects.
struct Follower {
    request: StreamSamplesRequest,
    client: Client,
    earlier: Vec<Vec<StreamSamplesResponse>>,
}

impl Follower {
    fn resume(&mut self, session: &Arc<Session>) {
        let Some(last) = self.client.received.last() else {
            return;
        };
        let start = Some(Start::Cursor(last.cursor.clone()));
        let next = Client::open(
            session,
            &StreamSamplesRequest {
                start,
                ..self.request.clone()
            },
        );
        self.earlier
            .push(std::mem::replace(&mut self.client, next).received);
    }

    fn streams(&self) -> Vec<&Vec<StreamSamplesResponse>> {
        self.earlier.iter().chain([&self.client.received]).collect()
    }

    /// Received, left out and told: everything that existed since the first stream began, once.
    fn assert_complete(&self, existing: u64) {
        let streams = self.streams();
        for stream in &streams {
            assert_no_gap(stream);
        }
        for pair in streams.windows(2) {
            assert_eq!(pair[0].last().unwrap().next_index, pair[1][0].first_index);
        }
        let all = streams.iter().copied().flatten();
        assert_eq!(
            all.clone().map(accounted).sum::<u64>(),
            existing - streams[0][0].first_index
        );
        let latencies = all.flat_map(latencies).collect::<Vec<_>>();
        assert!(
            latencies.is_sorted_by(|a, b| a < b),
            "nothing twice and nothing out of order"
        );
        assert!(self.request.filters.is_empty() || latencies.iter().all(|it| it.is_multiple_of(3)));
        let last = &self.client.received;
        let totals = self.client.end().totals.as_ref().unwrap();
        assert_eq!(
            last.last().unwrap().next_index - last[0].first_index,
            totals.delivered
                + totals.filtered
                + totals.losses.iter().map(|it| it.count).sum::<u64>()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_books_of_every_reader_balance_whatever_happens(
        acts in proptest::collection::vec(any_act(), 1..60),
        requests in proptest::collection::vec(any_request(), 3),
        history_bytes in prop_oneof![Just(0), Just(8 << 10), Just(128 << 10)],
    ) {
        let session = session(history_bytes, 32 << 10);
        let mut followers = requests.into_iter().map(|request| {
            Follower { client: Client::open(&session, &request), request, earlier: Vec::new() }
        }).collect::<Vec<_>>();
        let mut kernel_losses = 0;
        for act in acts {
            match act {
                Act::Append(count) => append(&session, count),
                Act::KernelLoss(count) => {
                    kernel_losses += count;
                    session.log().loss(LossStage::KernelRingFull, count, 1, 1);
                }
                Act::Read(who, steps) => for _ in 0..steps {
                    followers[who].client.step();
                },
                Act::Pass(who, milliseconds) => followers[who].client.pass(Duration::from_millis(milliseconds)),
                Act::Resume(who) => followers[who].resume(&session),
            }
            prop_assert!(session.log().bytes() <= history_bytes.max(32 << 10) + (32 << 10));
        }
        session.stop(EndReason::SessionStopped);
        let existing = session.log().next_index();
        for follower in &mut followers {
            prop_assert_eq!(follower.client.drain(), Outcome::Done);
            follower.assert_complete(existing);
            for stream in follower.streams() {
                let told = stream.iter().filter_map(|it| match &it.event {
                    Some(Event::Loss(loss)) if loss.stage == LossStage::KernelRingFull as i32 => Some(loss.count),
                    _ => None,
                });
                prop_assert!(told.sum::<u64>() <= kernel_losses);
            }
        }
    }
}
