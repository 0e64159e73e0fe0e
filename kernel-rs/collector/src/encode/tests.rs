use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::{
    log::{SessionLog, chunk::Chunk},
    proto::{self, SampleColumns, SampleRows},
    sample::{Sample, quality_bit},
    testing::{self, Owned},
};

/// The chunk of a log that holds just these samples.
fn chunk_of(samples: &[Owned]) -> std::sync::Arc<Chunk> {
    let log = SessionLog::new(&testing::limits());
    log.append(samples.iter().map(Owned::sample));
    log.view(0, 0, &[0; 3]).chunk.unwrap()
}

/// The message a sample should become.
fn expected(sample: &Sample<'_>, weight: u32) -> proto::Sample {
    testing::message(sample, weight)
}

fn decode(batch: &Batch, encoding: Encoding) -> Vec<proto::Sample> {
    match encoding {
        Encoding::Columns => testing::rows_of(&SampleColumns::decode(&batch.payload[..]).unwrap()),
        _ => SampleRows::decode(&batch.payload[..]).unwrap().samples,
    }
}

proptest! {
    #[test]
    fn every_sample_comes_back_as_it_was(
        samples in proptest::collection::vec(testing::any_sample(), 1..60),
        columns in any::<bool>(),
        weight in 0..3_u32,
        bytes_max in 1..20_000_usize,
    ) {
        let chunk = chunk_of(&samples);
        let encoding = if columns { Encoding::Columns } else { Encoding::Rows };
        let mut at = 0;
        while at < chunk.len() {
            let batch = batch(&*chunk, &(at..chunk.len()), encoding, weight, bytes_max);
            prop_assert!(batch.taken > 0);
            prop_assert!(batch.taken == 1 || batch.payload.len() <= bytes_max);
            prop_assert_eq!(batch.full, at + batch.taken < chunk.len());
            let decoded = decode(&batch, encoding);
            let wanted = samples[at..at + batch.taken].iter().map(|it| expected(&it.sample(), weight)).collect::<Vec<_>>();
            prop_assert_eq!(decoded, wanted);
            at += batch.taken;
        }
    }

    #[test]
    fn picked_samples_stand_alone(
        samples in proptest::collection::vec(testing::any_sample(), 1..60),
        pick in proptest::collection::vec(any::<bool>(), 60),
        columns in any::<bool>(),
    ) {
        let chunk = chunk_of(&samples);
        let encoding = if columns { Encoding::Columns } else { Encoding::Rows };
        let picked = (0..samples.len()).filter(|at| pick[*at]).collect::<Vec<_>>();
        prop_assume!(!picked.is_empty());
        let batch = batch(&*chunk, &(picked.iter().copied()), encoding, 0, 1 << 20);
        let wanted = picked.iter().map(|at| expected(&samples[*at].sample(), 0)).collect::<Vec<_>>();
        prop_assert_eq!(decode(&batch, encoding), wanted);
    }
}

#[test]
fn columns_hold_no_array_of_defaults() {
    let mut sample = testing::sample(1_000, 7);
    sample.quality = 0;
    let chunk = chunk_of(&[sample]);
    let columns =
        SampleColumns::decode(&batch(&*chunk, &(0..1), Encoding::Columns, 0, 16_384).payload[..])
            .unwrap();
    assert_eq!(columns.base_time_unix_ns, 1_000);
    assert_eq!(columns.latency_ns, [7]);
    assert!(
        columns.time_delta_ns.is_empty()
            && columns.process.is_empty()
            && columns.subject.is_empty()
    );
    assert!(
        columns.quality_mask.is_empty() && columns.weight.is_empty() && columns.result.is_empty()
    );
    let flows = columns.flows.unwrap();
    assert_eq!(flows.addresses, [vec![10, 0, 0, 1], vec![10, 0, 0, 2]]);
    assert!(
        flows.client.is_empty()
            && flows.vlan_id.is_empty()
            && flows.measured_from_server.is_empty()
    );
    assert_eq!(
        (flows.server, columns.dictionary),
        (vec![1], vec!["eth0".to_owned()])
    );
}

#[test]
fn columns_of_few_flows_take_under_fifteen_bytes_a_sample() {
    let samples = (0..4000_u64).map(|at| {
        let mut sample = testing::sample(
            1_700_000_000_000_000_000 + at * 150_000,
            80_000 + at % 900_000,
        );
        sample.quality = quality_bit(proto::Quality::SequenceMatched);
        sample.flow.as_mut().unwrap().client_port = (at % 20) as u16;
        sample
    });
    let chunk = chunk_of(&samples.collect::<Vec<_>>());
    let batch = batch(&*chunk, &(0..chunk.len()), Encoding::Columns, 0, 1 << 20);
    assert_eq!(batch.taken, 4000);
    assert!(
        batch.payload.len() < 15 * 4000,
        "{} bytes",
        batch.payload.len()
    );
}

#[test]
fn a_whole_message_decodes_with_prost() {
    let chunk = chunk_of(&[testing::sample(5, 6)]);
    let batch = batch(&*chunk, &(0..1), Encoding::Rows, 0, 16_384);
    let account = message::Account {
        cursor: "c",
        first_index: 3,
        next_index: 9,
        filtered: 5,
    };
    let header = Header::new("nodes/a", "sessions/b");
    let bytes = header.with_payload(account, payload_field(Encoding::Rows), &batch.payload);
    let message = proto::StreamSamplesResponse::decode(&bytes[..]).unwrap();
    assert_eq!(
        (&*message.node, &*message.session, &*message.cursor),
        ("nodes/a", "sessions/b", "c")
    );
    assert_eq!(
        (message.first_index, message.next_index, message.filtered),
        (3, 9, 5)
    );
    let Some(proto::stream_samples_response::Event::Rows(rows)) = message.event else {
        panic!("rows")
    };
    assert_eq!(rows.samples, [expected(&testing::sample(5, 6).sample(), 0)]);
}
