//! "Did you mean": the known word nearest to one that is not known, and how words of the user are shown in messages.

/// The known word nearest to `word`, if one is near: at most a third of its letters differ.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 32;
    if word.len() > LONGEST {
        return None;
    }
    let most = (word.len() / 3).max(1);
    let lower = word.to_ascii_lowercase();
    let near = |known: &'w str| (distance(lower.as_bytes(), known.as_bytes()), known);
    let best = known.into_iter().map(near).min_by_key(|&(distance, _)| distance)?;
    (best.0 <= most).then_some(best.1)
}

/// Number of insertions, deletions, replacements and swaps of neighbours that lead from one word to the other
/// (optimal string alignment).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, &a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = at(&row, j) + usize::from(a != b);
            best = best.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(&b) && to.get(j - 1) == Some(&a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

/// A word of the user in backticks, cut when it is long, with what does not print made visible.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut out = String::from("`");
    for (index, c) in text.chars().enumerate() {
        if index == MOST {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out.push('`');
    out
}

/// `a`, `b` or `c`.
pub(super) fn any_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["window", "inbound", "device", "smmu", "msi"];
        assert_eq!(nearest("widnow", known), Some("window"));
        assert_eq!(nearest("Window", known), Some("window"));
        assert_eq!(nearest("smmuu", known), Some("smmu"));
        assert_eq!(nearest("its", known), None);
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn distance_counts_a_swap_as_one() {
        assert_eq!(distance(b"widnow", b"window"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}
