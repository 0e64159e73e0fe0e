//! The output: a Markdown table.

use crate::{options::Options, row::Row, sessions::Kind};

pub(crate) fn head(options: &Options) {
    let kinds = options.sessions.iter().map(|it| it.name());
    let mut columns = vec!["traffic", "flows", "empty"];
    columns.extend(kinds);
    if options.sessions.contains(&Kind::Capture) {
        columns.extend([
            "samples",
            "false",
            "repeats",
            "round trips found",
            "exact ACKs found",
        ]);
    }
    println!("| {} |", columns.join(" | "));
    println!("|{}", " --- |".repeat(columns.len()));
}

/// Costs are ns a packet over the empty program: median (lowest to highest).
pub(crate) fn line(row: &Row) {
    let family = if row.ipv6 { "IPv6" } else { "IPv4" };
    let timestamps = if row.timestamps { ", timestamps" } else { "" };
    let mut cells = vec![
        format!("{family}{timestamps}"),
        row.flows.to_string(),
        format!("{:.0}", row.empty),
    ];
    cells.extend(
        row.costs
            .iter()
            .map(|[low, median, high]| format!("{median:.0} ({low:.0} to {high:.0})")),
    );
    if let Some(found) = &row.found {
        cells.extend([
            found.samples.to_string(),
            found.wrong.to_string(),
            found.repeated.to_string(),
            format!("{:.2} %", 100.0 * found.recall.of_rounds()),
            format!("{:.2} %", 100.0 * found.recall.of_plain()),
        ]);
    }
    println!("| {} |", cells.join(" | "));
}
