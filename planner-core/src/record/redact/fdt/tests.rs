//! Blobs made by a writer that knows three tokens.

use super::*;

fn word_of(length: usize) -> u32 {
    u32::try_from(length).expect("blobs of tests are short")
}

/// A structure block in the making, with its strings.
#[derive(Default)]
struct Writer {
    structure: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn token(&mut self, token: u32) {
        self.structure.extend(token.to_be_bytes());
    }
    fn pad(&mut self) {
        self.structure.resize(self.structure.len().next_multiple_of(4), 0);
    }
    fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.token(BEGIN_NODE);
        self.structure.extend(name.bytes().chain([0]));
        self.pad();
        inside(self);
        self.token(END_NODE);
    }
    fn property(&mut self, name: &str, value: &[u8]) {
        self.token(PROPERTY);
        self.token(word_of(value.len()));
        self.token(word_of(self.strings.len()));
        self.strings.extend(name.bytes().chain([0]));
        self.structure.extend(value);
        self.pad();
    }
    /// The blob, with some bytes of padding of which one is not zero.
    fn blob(mut self, version: u32) -> Vec<u8> {
        self.token(END);
        let structure_at = 56_usize;
        let strings_at = structure_at + self.structure.len();
        let end = strings_at + self.strings.len();
        let header = [
            MAGIC,
            word_of(end) + 8,
            word_of(structure_at),
            word_of(strings_at),
            40,
            version,
            16,
            0,
            word_of(self.strings.len()),
            if version == 17 { word_of(self.structure.len()) } else { 0 },
        ];
        let mut blob: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        blob.resize(structure_at, 0);
        blob.extend(self.structure);
        blob.extend(self.strings);
        blob.extend(b"old\0mac\0");
        blob
    }
}

fn board() -> Writer {
    let mut writer = Writer::default();
    writer.node("", |root| {
        root.property("compatible", b"acme,board\0");
        root.property("serial-number", b"SN0001\0");
        root.node("chosen", |chosen| {
            chosen.property("bootargs", b"root=UUID=1-2 iommu.passthrough=1 hostname=alpha\0");
            chosen.property("rng-seed", &[7; 32]);
            chosen.property("stdout-path", b"/serial@0\0");
        });
        root.node("ethernet@1", |node| {
            node.property("local-mac-address", &[2, 0, 0, 1, 2, 3]);
            node.property("bootargs", b"not the kernel's\0");
            node.property("label", b"at 52:54:00:12:34:56\0");
        });
        root.node("aliases", |node| node.property("serial0", b"/serial@0\0"));
    });
    writer
}

/// Name and value of each property.
fn properties(blob: &[u8]) -> Vec<(String, Vec<u8>)> {
    let layout = Layout::of(blob).unwrap();
    let strings = &blob[layout.strings.0..layout.strings.1];
    let mut found = Vec::new();
    let mut at = layout.structure.0;
    while let Some((token, next)) = token(blob, at) {
        match token {
            Token::Property { name, value: (start, end) } => {
                let name = String::from_utf8(string(strings, name).unwrap().to_vec()).unwrap();
                found.push((name, blob[start..end].to_vec()));
            }
            Token::End => break,
            _ => {}
        }
        at = next;
    }
    found
}

#[test]
fn identities_go_and_lengths_stay() {
    for version in [16, 17] {
        let blob = board().blob(version);
        let (redacted, changed) = redact(&blob).unwrap();
        assert_eq!((redacted.len(), changed), (blob.len(), 5));
        let (before, after) = (properties(&blob), properties(&redacted));
        let differing: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        let names: Vec<&str> = differing.iter().map(|((name, _), _)| name.as_str()).collect();
        assert_eq!(names, ["serial-number", "bootargs", "rng-seed", "local-mac-address", "label"]);
        assert!(before.iter().zip(&after).all(|((a, x), (b, y))| a == b && x.len() == y.len()));
        let kept = b"              iommu.passthrough=1               \0";
        assert_eq!(differing[1].1.1, kept);
        assert_eq!(differing[4].1.1, b"at 00:00:00:00:00:00\0");
        assert!(redacted.ends_with(&[0; 8]), "the padding is overwritten");
        assert_eq!(redact(&redacted).unwrap(), (redacted.clone(), 0), "a second time there is nothing left");
    }
}

#[test]
fn what_is_no_whole_blob_is_refused() {
    let blob = board().blob(17);
    let with = |index: usize, value: u32| {
        let mut blob = blob.clone();
        blob[index * 4..index * 4 + 4].copy_from_slice(&value.to_be_bytes());
        redact(&blob).unwrap_err()
    };
    assert_eq!(with(0, 1), "it does not begin with 0xd00dfeed");
    assert_eq!(with(1, 1 << 20), "it is longer than the file");
    assert_eq!(with(2, 4), "a block lies outside of it");
    assert_eq!(with(2, u32::MAX), "a block lies outside of it");
    assert_eq!(with(4, u32::MAX), "its reservations do not end");
    assert_eq!(with(5, 15), "its version is neither 16 nor 17");
    assert_eq!(with(8, 1), "the name of a property does not end");
    assert_eq!(with(9, 8), "its structure does not end");
    for length in 0..blob.len() {
        assert!(redact(&blob[..length]).is_err(), "{length}");
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    let blob = board().blob(17);
    for at in 0..blob.len() * 8 {
        let mut blob = blob.clone();
        blob[at / 8] ^= 1 << (at % 8);
        if let Ok((redacted, _)) = redact(&blob) {
            assert_eq!(redacted.len(), blob.len());
        }
    }
}
