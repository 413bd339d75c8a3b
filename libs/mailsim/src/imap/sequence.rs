//! Sets of message numbers and UIDs: `1,5:7,9:*`. Source: RFC 3501 §9, `sequence-set`.

/// Ranges in one set. More is a client's mistake.
const MAX_RANGES: usize = 4096;

/// A set of numbers, as ranges with both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set(Vec<(u32, u32)>);

impl Set {
    /// Reads a set; `*` is `largest`.
    pub(crate) fn parse(text: &str, largest: u32) -> Option<Self> {
        let number = |t: &str| match t {
            "*" => Some(largest),
            _ => t.parse::<u32>().ok().filter(|n| *n > 0),
        };
        let range = |part: &str| match part.split_once(':') {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                Some((from.min(to), from.max(to)))
            }
            None => number(part).map(|n| (n, n)),
        };
        let ranges: Option<Vec<_>> = text.split(',').take(MAX_RANGES + 1).map(range).collect();
        ranges.filter(|r| r.len() <= MAX_RANGES).map(Self)
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&number))
    }
}

/// Writes numbers as a set, neighbours joined. The numbers must ascend.
pub(crate) fn write(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(*number) => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text = |(from, to): &(u32, u32)| {
        if from == to { from.to_string() } else { format!("{from}:{to}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        let set = Set::parse("1,5:7,*:9", 12).unwrap();
        let members: Vec<u32> = (1..=13).filter(|n| set.contains(*n)).collect();
        assert_eq!(members, [1, 5, 6, 7, 9, 10, 11, 12]);
        assert_eq!(write(&members), "1,5:7,9:12");
        for wrong in ["", "0", "a", "1,,2", "1:2:3", "4294967296"] {
            assert_eq!(Set::parse(wrong, 9), None, "{wrong}");
        }
        assert_eq!(Set::parse(&"1,".repeat(5000), 9), None);
    }
}
