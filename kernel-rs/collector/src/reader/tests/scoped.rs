//! Readers who may not see everything.

use super::*;

fn scope(targets: Option<&[Filter]>, redaction: &proto::Redaction) -> Scope {
    Scope::check("uid:7", targets, redaction).unwrap()
}

fn narrowed() -> Scope {
    scope(Some(&[port_443()]), &proto::Redaction::default())
}

fn client(session: &Arc<Session>, request: &StreamSamplesRequest, scope: &Scope) -> Client {
    let reader = Reader::open(session.clone(), request, (NODE, "sessions/s"), scope).unwrap();
    Client {
        reader,
        now: Instant::now(),
        received: Vec::new(),
    }
}

fn redaction() -> proto::Redaction {
    proto::Redaction {
        ipv4_prefix_length: Some(24),
        ipv6_prefix_length: Some(48),
        ports: true,
        ..proto::Redaction::default()
    }
}

#[test]
fn a_narrowed_reader_knows_of_nothing_else() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 300);
    session.log().loss(LossStage::KernelRingFull, 5, 1, 2);
    for encoding in [Encoding::Rows, Encoding::Columns] {
        let request = StreamSamplesRequest {
            no_follow: true,
            encoding: encoding as i32,
            max_batch_bytes: 1000,
            filters: vec![Filter {
                client_cidrs: vec!["10.0.0.0/8".into()],
                ..Filter::default()
            }],
            ..StreamSamplesRequest::default()
        };
        let mut client = client(&session, &request, &narrowed());
        client.drain();
        let third = (0..300).step_by(3).collect::<Vec<u64>>();
        assert_eq!(client.latencies(), third);
        assert_no_gap(&client.received);
        let last = client.received.last().unwrap();
        assert_eq!((client.received[0].first_index, last.next_index), (0, 100));
        let end = client.end();
        assert_eq!(end.session_totals, None);
        let totals = end.totals.as_ref().unwrap();
        assert_eq!((totals.delivered, totals.filtered), (100, 0));
        assert_eq!(client.losses(), [(LossStage::KernelRingFull, 0)]);
        let Some(Event::Start(start)) = &client.received[0].event else {
            panic!("start")
        };
        assert_eq!(
            start.reader_filters,
            [Filter {
                client_cidrs: vec!["10.0.0.0/8".into()],
                server_ports: vec![PortRange {
                    first: 443,
                    last: 443
                }],
                ..Filter::default()
            }]
        );
    }
    let nothing = scope(Some(&[]), &proto::Redaction::default());
    let mut blind = client(&session, &from_oldest(), &nothing);
    blind.drain();
    assert_eq!(
        (blind.latencies().len(), blind.received[0].next_index),
        (0, 0)
    );
}

#[test]
fn a_narrowed_reader_goes_on_where_it_was_and_nobody_else_does() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 300);
    let request = StreamSamplesRequest {
        max_batch_bytes: 1000,
        ..from_oldest()
    };
    let mut first = client(&session, &request, &narrowed());
    while first.received.len() < 3 {
        first.step();
    }
    let broken = first.received.last().unwrap().clone();
    let request = StreamSamplesRequest {
        start: Some(Start::Cursor(broken.cursor)),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let mut second = client(&session, &request, &narrowed());
    second.drain();
    let all = [first.latencies(), second.latencies()].concat();
    assert_eq!(all, (0..300).step_by(3).collect::<Vec<u64>>());
    assert_eq!(second.received[0].first_index, broken.next_index);
    let failure = Reader::open(session, &request, (NODE, "sessions/s"), &Scope::default());
    assert_eq!(failure.unwrap_err().reason(), Reason::CursorInvalid);
}

#[test]
fn what_a_slow_narrowed_reader_loses_is_counted_of_its_own() {
    let session = session(0, 64 << 10);
    let mut client = client(&session, &StreamSamplesRequest::default(), &narrowed());
    append(&session, 9);
    client.drain();
    append(&session, 30_000);
    client.drain();
    client.pass(Duration::from_secs(1));
    client.drain();
    let received = client.latencies().len() as u64;
    let losses = client.losses();
    let [(LossStage::SubscriberQueue, lost)] = losses[..] else {
        panic!("{losses:?}")
    };
    assert!(lost > 1000, "{lost}");
    assert_eq!(received + lost, 30_009 / 3);
    assert_no_gap(&client.received);
}

#[test]
fn redacted_samples_tell_prefixes_and_readers_share_them() {
    let session = session(1 << 20, 1 << 20);
    append(&session, 90);
    for encoding in [Encoding::Rows, Encoding::Columns] {
        let request = StreamSamplesRequest {
            encoding: encoding as i32,
            ..from_oldest()
        };
        let redacted = scope(None, &redaction());
        let mut readers = [&redacted, &redacted, &Scope::default()]
            .map(|scope| client(&session, &request, scope));
        let before = session.log().cache().hits();
        for reader in &mut readers {
            reader.drain();
            assert_eq!(reader.latencies(), (0..90).collect::<Vec<u64>>());
        }
        assert_eq!(session.log().cache().hits(), before + 1);
        let told = |client: &Client| -> Vec<_> {
            let all = client.received.iter().flat_map(samples);
            all.map(|it| it.flow.unwrap())
                .map(|it| (it.client_address, it.server_address, it.server_port))
                .collect()
        };
        assert!(
            told(&readers[0])
                .iter()
                .all(|it| *it == ("10.0.0.0".into(), "10.0.0.0".into(), 0))
        );
        assert_eq!(
            told(&readers[2])[0],
            ("10.0.0.1".into(), "10.0.0.2".into(), 443)
        );
        if let Some(Event::Columns(columns)) = &readers[0].received[1].event {
            let flows = columns.flows.as_ref().unwrap();
            assert_eq!(
                (flows.addresses.len(), columns.flow[..2].to_vec()),
                (1, vec![1, 1])
            );
        }
        let Some(Event::Start(start)) = &readers[0].received[0].event else {
            panic!("start")
        };
        assert_eq!(start.redaction, Some(redaction()));
        let fields = start.redacted_fields.clone().unwrap().paths;
        assert_eq!(
            fields,
            [
                "flow.client_address",
                "flow.server_address",
                "flow.client_port",
                "flow.server_port"
            ]
        );
    }
    let finer = StreamSamplesRequest {
        filters: vec![port_443()],
        ..from_oldest()
    };
    let redacted = scope(None, &redaction());
    let failure = Reader::open(session, &finer, (NODE, "sessions/s"), &redacted).unwrap_err();
    assert_eq!(
        (failure.reason(), &*failure.violations()[0].field),
        (Reason::RedactionDenied, "filters[0].server_ports")
    );
}

proptest! {
    #[test]
    fn what_is_withheld_is_in_no_message(
        all in proptest::collection::vec(testing::any_sample(), 1..40),
        columns in any::<bool>(),
    ) {
        let session = session(1 << 20, 1 << 20);
        session.log().append(all.iter().map(testing::Owned::sample));
        let everything = proto::Redaction {
            comm: true,
            dns_names: true,
            cgroup: true,
            pid: true,
            ..redaction()
        };
        let request = StreamSamplesRequest {
            no_follow: true,
            encoding: if columns { Encoding::Columns } else { Encoding::Rows } as i32,
            ..StreamSamplesRequest::default()
        };
        let mut client = client(&session, &request, &scope(None, &everything));
        client.drain();
        let told = client.received.iter().flat_map(samples).collect::<Vec<_>>();
        prop_assert_eq!(told.len(), all.len());
        for (told, sample) in told.iter().zip(&all) {
            if let (Some(told), Some(flow)) = (&told.flow, &sample.flow) {
                let length = if flow.ipv4 { 24 } else { 48 };
                let prefix = |address| {
                    let cidr = spec::cidr::Cidr::of(flow.ipv4, address, length);
                    crate::text::address(flow.ipv4, &cidr.address).to_string()
                };
                prop_assert_eq!(&told.client_address, &prefix(&flow.client_address));
                prop_assert_eq!(&told.server_address, &prefix(&flow.server_address));
                prop_assert_eq!((told.client_port, told.server_port), (0, 0));
            }
            if sample.process.is_some() {
                prop_assert_eq!(told.process.clone(), Some(proto::Process::default()));
            }
            prop_assert_eq!(told.subject.is_empty(), sample.subject.is_empty() || told.metric == proto::Metric::DnsReply as i32);
        }
    }
}
