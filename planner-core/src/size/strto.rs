//! Numbers as QEMU reads them (util/cutils.c); the planner's own descriptions are read by [`super::parse_number`].

use super::Size;
use crate::version::Version;

/// Why QEMU takes a text for no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StrtoError {
    /// No number at all, or something behind it.
    Invalid,
    /// Beyond the type, or below zero.
    Range,
}

/// The QEMU that rewrote `do_strtosz`: fractions without a digit before the point are taken, hexadecimal numbers with a
/// unit are not, and negative numbers are out of range rather than no numbers.
const STRICT_SINCE: Version = Version::new(8, 1);

/// A size: a decimal number, perhaps with a fraction and a unit, or a hexadecimal one; a bare number is bytes
/// (util/cutils.c, `do_strtosz`).
///
/// # Errors
/// [`StrtoError::Range`] beyond 64 bits, [`StrtoError::Invalid`] for everything else that is no size.
pub fn size(text: &str, qemu: Version) -> Result<Size, StrtoError> {
    let strict = qemu >= STRICT_SINCE;
    let text = text.trim_start_matches([' ', '\t', '\n']);
    if let Some(positive) = text.strip_prefix('-') {
        return Err(match size(positive, qemu) {
            Ok(_) if strict => StrtoError::Range,
            _ => StrtoError::Invalid,
        });
    }
    if let Some(rest) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return hexadecimal(rest, strict);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = shift(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let lacks_digits = whole.is_empty() && (fraction.is_empty() || !strict);
    // Bytes have no fractions, not even `1.0`.
    let of_bytes = number.contains('.') && shift == 0;
    if lacks_digits || !digits(fraction) || of_bytes {
        return Err(StrtoError::Invalid);
    }
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u64>().map_err(|_| StrtoError::Range)?,
    };
    let whole = whole.checked_mul(1 << shift).ok_or(StrtoError::Range)?;
    let part = fraction_of(fraction, shift).ok_or(StrtoError::Range)?;
    whole.checked_add(part).map(Size::from_bytes).ok_or(StrtoError::Range)
}

fn hexadecimal(rest: &str, strict: bool) -> Result<Size, StrtoError> {
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    let (digits, unit) = rest.split_at(end);
    let shift = shift(unit)?;
    if digits.is_empty() || (strict && !unit.is_empty()) {
        return Err(StrtoError::Invalid);
    }
    let value = u64::from_str_radix(digits, 16).map_err(|_| StrtoError::Range)?;
    value.checked_mul(1 << shift).map(Size::from_bytes).ok_or(StrtoError::Range)
}

fn shift(unit: &str) -> Result<u32, StrtoError> {
    Ok(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        "e" => 60,
        _ => return Err(StrtoError::Invalid),
    })
}

/// `.digits` of a unit of 2^shift bytes; 18 digits are more than any unit shows.
fn fraction_of(digits: &str, shift: u32) -> Option<u64> {
    let digits: String = digits.chars().take(18).collect();
    if digits.is_empty() {
        return Some(0);
    }
    let scale = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let part = digits.parse::<u128>().ok()?.checked_mul(1 << shift)?.checked_div(scale)?;
    u64::try_from(part).ok()
}

/// An integer in C's notation: decimal, `0x` hexadecimal, a leading 0 octal (util/cutils.c, `qemu_strtoi64`).
///
/// # Errors
/// [`StrtoError::Range`] beyond 64 bits, [`StrtoError::Invalid`] for what is no integer.
pub fn int64(text: &str) -> Result<i64, StrtoError> {
    let (negative, digits) = sign(text);
    let value = i128::from(magnitude(digits)?);
    i64::try_from(if negative { -value } else { value }).map_err(|_| StrtoError::Range)
}

/// An unsigned integer in C's notation; `-1` is 2^64-1, as `strtoull` has it (util/cutils.c, `qemu_strtou64`).
///
/// # Errors
/// [`StrtoError::Range`] beyond 64 bits, [`StrtoError::Invalid`] for what is no integer.
pub fn uint64(text: &str) -> Result<u64, StrtoError> {
    let (negative, digits) = sign(text);
    let value = magnitude(digits)?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

fn sign(text: &str) -> (bool, &str) {
    let text = text.trim_start_matches([' ', '\t', '\n']);
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn magnitude(digits: &str) -> Result<u64, StrtoError> {
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    // from_str_radix takes a sign of its own.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(StrtoError::Invalid);
    }
    u64::from_str_radix(digits, radix).map_err(|_| StrtoError::Range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_by_version() {
        let cases = [
            ("1.5G", "0x60000000", "0x60000000"),
            (".5G", "Invalid", "0x20000000"),
            ("0x1000M", "0x100000000", "Invalid"),
            ("0x1000", "0x1000", "0x1000"),
            ("-1", "Invalid", "Range"),
            ("-x", "Invalid", "Invalid"),
            ("16E", "Range", "Range"),
            ("15E", "0xf000000000000000", "0xf000000000000000"),
            ("1G1", "Invalid", "Invalid"),
            ("1.0", "Invalid", "Invalid"),
            ("16GiB", "Invalid", "Invalid"),
            ("", "Invalid", "Invalid"),
        ];
        for (text, old, new) in cases {
            let shown = |version| match size(text, version) {
                Ok(size) => format!("{:#x}", size.bytes()),
                Err(error) => format!("{error:?}"),
            };
            assert_eq!(shown(Version::new(7, 2)), old, "{text} in 7.2");
            assert_eq!(shown(Version::new(10, 0)), new, "{text} in 10.0");
        }
    }

    #[test]
    fn integers() {
        assert_eq!(int64("-1"), Ok(-1));
        assert_eq!(int64("0x10"), Ok(16));
        assert_eq!(int64("010"), Ok(8));
        assert_eq!(int64("08"), Err(StrtoError::Invalid));
        assert_eq!(int64("9223372036854775808"), Err(StrtoError::Range));
        assert_eq!(uint64("-1"), Ok(u64::MAX));
        assert_eq!(uint64("--1"), Err(StrtoError::Invalid));
        assert_eq!(uint64(""), Err(StrtoError::Invalid));
    }
}
