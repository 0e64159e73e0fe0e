//! Per-CPU values, copied while programs change them.

use aya::{
    maps::{MapError, PerCpuValues},
    util::nr_cpus,
};

use crate::{
    failure::Failure,
    wire::{Layout, Wire, zero},
};

/// Copies that are tried until each CPU's is whole. A change takes nanoseconds and a copy not much longer, so that the first
/// is nearly always.
const TRIES: usize = 100;

/// Each CPU's value, copied whole: `whole` tells by a copy whether nothing changed while it was made.
///
/// # Errors
/// What the kernel answers to `read`; `KERNEL_ERROR` when a CPU never stood still for the time of a copy.
pub(crate) fn whole<T: Copy>(
    what: &str,
    mut read: impl FnMut() -> Result<PerCpuValues<Wire<T>>, MapError>,
    whole: impl Fn(&T) -> bool,
) -> Result<Vec<T>, Failure>
where
    Wire<T>: aya::Pod,
{
    let mut kept: Vec<Option<T>> = Vec::new();
    for _ in 0..TRIES {
        let copies = read().map_err(|error| Failure::kernel(what, &error))?;
        kept.resize(copies.len(), None);
        for (kept, Wire(copy)) in kept.iter_mut().zip(copies.iter()) {
            if kept.is_none() && whole(copy) {
                *kept = Some(*copy);
            }
        }
        if let Some(all) = kept.iter().copied().collect() {
            return Ok(all);
        }
    }
    Err(Failure::kernel(what, &"a CPU changes it all the time"))
}

/// A value of zeros for each CPU.
///
/// # Errors
/// `KERNEL_ERROR` when the kernel does not tell how many there are.
pub(crate) fn zeros<T: Layout>() -> Result<PerCpuValues<Wire<T>>, Failure> {
    let cpus = nr_cpus().map_err(|(_, error)| Failure::kernel("counting CPUs", &error))?;
    PerCpuValues::try_from(vec![Wire(zero::<T>()); cpus])
        .map_err(|error| Failure::kernel("counting CPUs", &error))
}

#[cfg(test)]
mod tests {
    use aya::util::nr_cpus;
    use latscope_events::counter::Counters;

    use super::*;
    use crate::wire::zero;

    /// The copies that CPU 0 gives in turn: changes ended and begun. The others stand still.
    fn copies(of_first: &[(u64, u64)]) -> Result<Vec<Counters>, Failure> {
        let mut of_first = of_first.iter();
        let read = || {
            let mut values = vec![Wire(zero::<Counters>()); nr_cpus().unwrap()];
            if let Some((after, before)) = of_first.next() {
                (values[0].0.after, values[0].0.before) = (*after, *before);
            } else {
                values[0].0.before = 1;
            }
            Ok(PerCpuValues::try_from(values).unwrap())
        };
        whole("reading X", read, |it| it.before == it.after)
    }

    #[test]
    fn a_torn_copy_is_made_again() {
        let values = copies(&[(1, 2), (2, 3), (3, 3), (9, 9)]).unwrap();
        assert_eq!((values[0].after, values[0].before), (3, 3));
    }

    #[test]
    fn what_never_stands_still_is_an_error() {
        let failure = copies(&[]).unwrap_err();
        assert_eq!(
            failure.message(),
            "reading X: a CPU changes it all the time"
        );
    }
}
