//! A pair of tracepoints as a probe names it.

use std::io;

use latscope_events::span::pair::{Part, WORDS};

use super::{
    format::{self, Field},
    tracefs,
};
use crate::{
    failure::{Failure, Reason},
    proto::{KeyField, TracepointPairProbe},
    spec::violations::Violations,
};

/// Two tracepoints, and what tells which second belongs to which first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::span) struct Pair {
    pub(super) begin: Tracepoint,
    pub(super) end: Tracepoint,
    /// What samples call it.
    pub(super) name: String,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracepoint {
    /// `category:name`
    pub(super) name: String,
    pub(super) id: u64,
    /// Where its record has the key; empty = the thread.
    pub(super) key: [Part; WORDS],
}

impl Pair {
    /// Looks both up in the running kernel.
    ///
    /// # Errors
    /// `FIELD_INVALID` with the path of everything that this kernel does not have; without tracefs as [`tracefs::there`].
    pub(super) fn find(probe: &TracepointPairProbe, path: &str) -> Result<Self, Failure> {
        tracefs::there()?;
        let mut violations = Violations::default();
        let begin = violations.take(
            Reason::FieldInvalid,
            format!("{path}.start"),
            look_up(&probe.start),
        );
        let end = violations.take(
            Reason::FieldInvalid,
            format!("{path}.end"),
            look_up(&probe.end),
        );
        let (Some(mut begin), Some(mut end)) = (begin, end) else {
            return violations.finish().and_then(|()| Err(impossible()));
        };
        let path = format!("{path}.key_fields");
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (index, key) in probe.key_fields.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if let Some((a, b)) = parts(key, &path, (&begin, &end), &mut violations) {
                first.extend(a);
                second.extend(b);
            }
        }
        if first.len() > WORDS {
            violations.add(
                Reason::FieldInvalid,
                &*path,
                format!(
                    "take {} words of 8 bytes, at most {WORDS} make a key",
                    first.len()
                ),
            );
        }
        violations.finish()?;
        begin.tracepoint.key[..first.len()].copy_from_slice(&first);
        end.tracepoint.key[..second.len()].copy_from_slice(&second);
        Ok(Self {
            begin: begin.tracepoint,
            end: end.tracepoint,
            name: format!("{}-{}", probe.start, probe.end),
        })
    }

    /// One that hardly ever fires.
    ///
    /// # Errors
    /// Without tracefs, as [`tracefs::there`].
    pub(super) fn to_try() -> Result<Self, Failure> {
        let probe = TracepointPairProbe {
            start: "sched:sched_process_exec".into(),
            end: "sched:sched_process_exec".into(),
            key_fields: Vec::new(),
        };
        Self::find(&probe, "tracepoint_pair")
    }
}

fn impossible() -> Failure {
    Failure::new(
        Reason::Internal,
        "a tracepoint was neither found nor missed",
    )
}

/// A tracepoint with all its fields.
struct Described {
    tracepoint: Tracepoint,
    fields: Vec<Field>,
}

fn look_up(name: &str) -> Result<Described, String> {
    if name.split(':').any(|it| it.starts_with('.')) {
        return Err(format!("{name:?} is no tracepoint"));
    }
    let path = name.replacen(':', "/", 1);
    let read = |file: &str| {
        tracefs::read(&format!("{path}/{file}")).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("this kernel has no tracepoint {name}"),
            _ => format!("{name}: {error}"),
        })
    };
    let id = read("id")?;
    let id = id.trim().parse();
    Ok(Described {
        tracepoint: Tracepoint {
            name: name.into(),
            id: id.map_err(|_| format!("{name} has no number"))?,
            key: [Part::default(); WORDS],
        },
        fields: format::fields(&read("format")?),
    })
}

/// Where both have a field of the key.
fn parts(
    key: &KeyField,
    path: &str,
    (begin, end): (&Described, &Described),
    violations: &mut Violations,
) -> Option<(Vec<Part>, Vec<Part>)> {
    let other = if key.end.is_empty() {
        &key.start
    } else {
        &key.end
    };
    let first = begin.field(&key.start);
    let first = violations.take(Reason::FieldInvalid, format!("{path}.start"), first);
    let second = end.field(other).and_then(|it| match &first {
        Some((field, _)) if field.size != it.0.size => Err(format!(
            "{} has {} bytes in {}, {} has {} in {}: they are never the same",
            field.name,
            field.size,
            begin.tracepoint.name,
            it.0.name,
            it.0.size,
            end.tracepoint.name
        )),
        _ => Ok(it),
    });
    let second = violations.take(Reason::FieldInvalid, format!("{path}.end"), second);
    Some((first?.1, second?.1))
}

impl Described {
    fn field(&self, name: &str) -> Result<(&Field, Vec<Part>), String> {
        let Some(field) = self.fields.iter().find(|it| it.name == name) else {
            let names: Vec<&str> = self
                .fields
                .iter()
                .filter(|it| it.parts().is_ok())
                .map(|it| &*it.name)
                .collect();
            return Err(format!(
                "{} has no field {name:?}; a key can be made of {}",
                self.tracepoint.name,
                names.join(", ")
            ));
        };
        Ok((field, field.parts()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(start: &str, end: &str, keys: &[(&str, &str)]) -> Result<Pair, Failure> {
        let probe = TracepointPairProbe {
            start: start.into(),
            end: end.into(),
            key_fields: keys
                .iter()
                .map(|(start, end)| KeyField {
                    start: (*start).into(),
                    end: (*end).into(),
                })
                .collect(),
        };
        Pair::find(&probe, "p")
    }

    fn wrong(found: Result<Pair, Failure>) -> Vec<(String, String)> {
        let failure = found.unwrap_err();
        assert_eq!(failure.reason(), Reason::FieldInvalid);
        let all = failure.violations().iter();
        all.map(|it| (it.field.clone(), it.description.clone()))
            .collect()
    }

    #[test]
    fn keys_are_where_the_kernel_says() {
        let (fork, exec) = ("sched:sched_process_fork", "sched:sched_process_exec");
        let pair = find(fork, exec, &[("child_pid", "pid")]).unwrap();
        assert_eq!(pair.name, format!("{fork}-{exec}"));
        for it in [&pair.begin, &pair.end] {
            assert_eq!(it.key[0].mask, 0xffff_ffff);
            assert_eq!(it.key[1], Part::default());
        }
        let by_thread = find(fork, exec, &[]).unwrap();
        assert_eq!(by_thread.begin.key, [Part::default(); WORDS]);
    }

    #[test]
    fn what_this_kernel_does_not_have_is_named_by_its_path() {
        let all = wrong(find("sched:nothing", "nobody:nothing", &[]));
        assert_eq!(
            all,
            [
                (
                    "p.start".into(),
                    "this kernel has no tracepoint sched:nothing".into()
                ),
                (
                    "p.end".into(),
                    "this kernel has no tracepoint nobody:nothing".into()
                )
            ]
        );
        let (fork, exit) = ("sched:sched_process_fork", "sched:sched_process_exit");
        let all = wrong(find(
            fork,
            exit,
            &[
                ("child_pid", "nothing"),
                ("no", "pid"),
                ("common_pid", "pid"),
            ],
        ));
        let fields: Vec<&str> = all.iter().map(|it| &*it.0).collect();
        assert_eq!(
            fields,
            [
                "p.key_fields[0].end",
                "p.key_fields[1].start",
                "p.key_fields[2].start"
            ]
        );
        assert!(all[0].1.contains("pid"), "{}", all[0].1);
    }

    #[test]
    fn fields_that_are_never_the_same_are_refused() {
        let all = wrong(find(
            "sched:sched_process_exit",
            "workqueue:workqueue_execute_start",
            &[("pid", "work")],
        ));
        assert_eq!(all[0].0, "p.key_fields[0].end");
        assert!(
            all[0].1.contains("4 bytes") && all[0].1.contains("8 in"),
            "{}",
            all[0].1
        );
    }
}
