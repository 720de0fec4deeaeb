//! SHA-256 (FIPS 180-4), for the hash of one style sheet. Its constants are computed, not copied.

/// The digest of a message.
pub(crate) fn digest(message: &[u8]) -> [u8; 32] {
    let primes: Vec<u128> = (2u128..).filter(|n| (2..*n).all(|d| n % d != 0)).take(64).collect();
    let round: Vec<u32> = primes.iter().map(|p| low_word(root(p << 96, 3))).collect();
    let mut state: Vec<u32> = primes.iter().take(8).map(|p| low_word(root(p << 64, 2))).collect();
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let length = padded.len();
    padded[length - 8..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mixed = compress(&state, &schedule(block), &round);
        for (word, more) in state.iter_mut().zip(mixed) {
            *word = word.wrapping_add(more);
        }
    }
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// The message schedule of a block (6.2.2, step 1).
fn schedule(block: &[u8]) -> Vec<u32> {
    let word = |bytes: &[u8]| bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    let mut words: Vec<u32> = block.chunks_exact(4).map(word).collect();
    for t in 16..64 {
        let (a, b) = (words[t - 15], words[t - 2]);
        let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        words.push(words[t - 16].wrapping_add(low).wrapping_add(words[t - 7]).wrapping_add(high));
    }
    words
}

/// The 64 rounds (6.2.2, step 3).
fn compress(state: &[u32], words: &[u32], round: &[u32]) -> Vec<u32> {
    let mut s = state.to_vec();
    for (word, constant) in words.iter().zip(round) {
        let (a, e) = (s[0], s[4]);
        let choice = (e & s[5]) ^ (!e & s[6]);
        let majority = (a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]);
        let high = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let low = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let one = s[7].wrapping_add(high).wrapping_add(choice).wrapping_add(*constant).wrapping_add(*word);
        s.rotate_right(1);
        s[4] = s[4].wrapping_add(one);
        s[0] = one.wrapping_add(low).wrapping_add(majority);
    }
    s
}

/// The integer root of this degree.
fn root(value: u128, degree: u32) -> u128 {
    let (mut low, mut high) = (0u128, 1u128 << 40);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if middle.checked_pow(degree).is_some_and(|power| power <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[expect(clippy::cast_possible_truncation, reason = "the constants are the low 32 bits of the roots")]
fn low_word(value: u128) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    fn hex(message: &[u8]) -> String {
        super::digest(message).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The examples of FIPS 180-2, appendix B, and the empty message.
    #[test]
    fn known_messages_have_their_known_digests() {
        assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            hex(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        assert_eq!(
            hex(&[b'a'; 1_000_000]),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }
}
