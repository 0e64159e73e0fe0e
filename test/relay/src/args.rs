//! The command line.

use std::time::Duration;

use lexopt::prelude::{Long, Value, ValueExt};

use crate::drops::Selector;

/// What the command line asks for.
pub(crate) enum Command {
    Relay(RelayOptions),
    Inject { a: String, b: String },
}

/// Options of the relay.
pub(crate) struct RelayOptions {
    /// Names of the two interfaces.
    pub(crate) interfaces: [String; 2],
    /// Delay of frames that arrive at the first interface, and at the second.
    pub(crate) delays: [Duration; 2],
    /// Frames to lose, of those that arrive at the first interface, and at the second.
    pub(crate) drops: [Vec<Selector>; 2],
}

/// Reads the command line.
///
/// # Errors
/// One sentence for the person who typed it.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut names = Vec::new();
    let mut delay = None;
    let mut delay_back = None;
    let mut drops = [Vec::new(), Vec::new()];
    while let Some(argument) = parser.next()? {
        match argument {
            Long("delay") => delay = Some(duration(&parser.value()?.string()?)?),
            Long("delay-back") => delay_back = Some(duration(&parser.value()?.string()?)?),
            Long("drop") => drops[0].push(parser.value()?.parse()?),
            Long("drop-back") => drops[1].push(parser.value()?.parse()?),
            Value(name) => names.push(name.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    match <[String; 3]>::try_from(names) {
        Ok([word, a, b]) if word == "inject" => Ok(Command::Inject { a, b }),
        Ok(_) => Err("two interfaces are needed".into()),
        Err(names) => {
            let interfaces = <[String; 2]>::try_from(names)
                .map_err(|_| lexopt::Error::from("two interfaces are needed"))?;
            let delay = delay.ok_or("--delay is needed")?;
            Ok(Command::Relay(RelayOptions {
                interfaces,
                delays: [delay, delay_back.unwrap_or(delay)],
                drops,
            }))
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("\"{text}\" is not a duration: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_way_back_takes_the_same_delay_unless_told() {
        let Ok(Command::Relay(options)) = parse_words(&["a", "b", "--delay", "20ms"]) else {
            panic!("not a relay");
        };
        assert_eq!(options.delays, [Duration::from_millis(20); 2]);
        let Ok(Command::Relay(options)) =
            parse_words(&["a", "b", "--delay", "20ms", "--delay-back", "5ms"])
        else {
            panic!("not a relay");
        };
        assert_eq!(
            options.delays,
            [Duration::from_millis(20), Duration::from_millis(5)]
        );
    }

    #[test]
    fn wrong_usage_says_what_is_wrong() {
        let wrong = |words: &[&str]| parse_words(words).err().unwrap_or_default();
        assert_eq!(
            wrong(&["a", "--delay", "20ms"]),
            "two interfaces are needed"
        );
        assert_eq!(wrong(&["a", "b"]), "--delay is needed");
        assert!(wrong(&["a", "b", "--delay", "soon"]).contains("\"soon\" is not a duration"));
        assert!(wrong(&["a", "b", "--delay", "1ms", "--drop", "syn"]).contains("KIND:N"));
    }

    #[test]
    fn inject_takes_two_interfaces() {
        let Ok(Command::Inject { a, b }) = parse_words(&["inject", "x", "y"]) else {
            panic!("not an injection");
        };
        assert_eq!((a.as_str(), b.as_str()), ("x", "y"));
    }
}
