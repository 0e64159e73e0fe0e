//! What a tracepoint records: its `format` file (Documentation/trace/events.rst).

use latscope_events::span::pair::Part;

/// Bytes at the begin of a record that programs do not get as they are described.
const COMMON: u64 = 8;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    offset: u64,
    pub(super) size: u64,
    /// It is somewhere else, and as long as it happens to be.
    elsewhere: bool,
}

/// The fields that a format describes.
pub(super) fn fields(format: &str) -> Vec<Field> {
    format.lines().filter_map(field).collect()
}

/// `field:unsigned short common_type; offset:0; size:2; signed:0;`, with tabs
fn field(line: &str) -> Option<Field> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declared = parts.next()?.strip_prefix("field:")?;
    let name = declared.rsplit([' ', '*']).next()?;
    let mut number = |label: &str| parts.next()?.strip_prefix(label)?.parse().ok();
    Some(Field {
        name: name.split('[').next()?.into(),
        offset: number("offset:")?,
        size: number("size:")?,
        elsewhere: declared.starts_with("__data_loc") || declared.starts_with("__rel_loc"),
    })
}

impl Field {
    /// Where programs find its words; or why it is no key.
    pub(super) fn parts(&self) -> Result<Vec<Part>, String> {
        let name = &self.name;
        if self.offset < COMMON {
            return Err(format!(
                "programs do not get {name}; without key_fields a pair is of one thread"
            ));
        }
        if self.elsewhere {
            return Err(format!("{name} is of no fixed size"));
        }
        let words = match self.size {
            1 | 2 | 4 | 8 => 1,
            16 => 2,
            size => {
                return Err(format!(
                    "{name} has {size} bytes; a key takes fields of 1, 2, 4, 8 and 16"
                ));
            }
        };
        let mask = u64::MAX >> (64 - 8 * self.size.min(8));
        let part = |word: u64| Part {
            offset: self.offset + 8 * word,
            mask,
        };
        Ok((0..words).map(part).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = "name: sched_process_exec
ID: 319
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:__data_loc char[] filename;\toffset:8;\tsize:4;\tsigned:0;
\tfield:pid_t pid;\toffset:12;\tsize:4;\tsigned:1;
\tfield:void * work;\toffset:16;\tsize:8;\tsigned:0;
\tfield:const char *name;\toffset:24;\tsize:8;\tsigned:0;
\tfield:char comm[16];\toffset:32;\tsize:16;\tsigned:0;
\tfield:unsigned long args[6];\toffset:48;\tsize:48;\tsigned:0;

print fmt: \"filename=%s\", __get_str(filename)
";

    #[test]
    fn every_field_is_found_with_its_place() {
        let fields = fields(FORMAT);
        let names: Vec<&str> = fields.iter().map(|it| &*it.name).collect();
        assert_eq!(
            names,
            [
                "common_type",
                "common_pid",
                "filename",
                "pid",
                "work",
                "name",
                "comm",
                "args"
            ]
        );
        let parts = |name: &str| {
            let field = fields.iter().find(|it| it.name == name).unwrap();
            field
                .parts()
                .map(|it| it.iter().map(|it| (it.offset, it.mask)).collect::<Vec<_>>())
        };
        assert_eq!(parts("pid").unwrap(), [(12, 0xffff_ffff)]);
        assert_eq!(parts("work").unwrap(), [(16, u64::MAX)]);
        assert_eq!(parts("comm").unwrap(), [(32, u64::MAX), (40, u64::MAX)]);
        for (name, why) in [
            ("common_pid", "do not get"),
            ("filename", "no fixed size"),
            ("args", "48 bytes"),
        ] {
            assert!(parts(name).unwrap_err().contains(why));
        }
    }
}
