//! Medians, with the range that they are from.

/// The middle of some figures.
pub(crate) struct Median {
    sorted: Vec<f64>,
}

impl Median {
    /// That of at least one.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self { sorted }
    }

    /// `12.3 (11.9 to 14.0)`, with so many decimals.
    pub(crate) fn show(&self, decimals: usize) -> String {
        let [Some(least), Some(most)] = [self.sorted.first(), self.sorted.last()] else {
            return "none".into();
        };
        let middle = self.sorted[self.sorted.len() / 2];
        format!("{middle:.decimals$} ({least:.decimals$} to {most:.decimals$})")
    }
}
