//! Configuration space: what is read from its bytes, what is said of bytes with one fault each, and dumps of lspci.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "pci/dumps.rs"]
mod dumps;
#[path = "pci/faults.rs"]
mod faults;

use planner_core::diag::Diagnostic;

/// A function with one capability list of each kind.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    /// An endpoint of 4096 bytes without capabilities.
    pub(crate) fn express() -> Self {
        let mut bytes = Self(vec![0; 4096]);
        bytes.put(0x00, &[0x86, 0x80, 0x21, 0x15]).put(0x09, &[0x00, 0x00, 0x02]).put(0x06, &[0x10]);
        bytes
    }

    pub(crate) fn put(&mut self, at: usize, values: &[u8]) -> &mut Self {
        self.0[at..at + values.len()].copy_from_slice(values);
        self
    }

    /// A list of conventional capabilities at these offsets, in this order.
    pub(crate) fn list(&mut self, capabilities: &[(u8, &[u8])]) -> &mut Self {
        let mut named_at = 0x34;
        for (at, bytes) in capabilities {
            self.put(named_at, &[*at]);
            self.put((*at).into(), bytes);
            named_at = usize::from(*at) + 1;
        }
        self.put(named_at, &[0])
    }

    /// A list of extended capabilities: identifier, offset, what follows the header.
    pub(crate) fn extended(&mut self, capabilities: &[(u16, u16, &[u8])]) -> &mut Self {
        for (index, (id, at, bytes)) in capabilities.iter().enumerate() {
            let next = capabilities.get(index + 1).map_or(0, |(_, next, _)| *next);
            let header = u32::from(*id) | 1 << 16 | u32::from(next) << 20;
            self.put((*at).into(), &header.to_le_bytes());
            self.put(usize::from(*at) + 4, bytes);
        }
        self
    }
}

/// Each diagnostic in a line.
pub(crate) fn lines(diagnostics: &[Diagnostic]) -> String {
    let line = |diagnostic: &Diagnostic| {
        let notes: String = diagnostic.notes.iter().map(|note| format!("    note: {note}\n")).collect();
        let Diagnostic { code, origin, message, .. } = diagnostic;
        format!("{}[{}] {origin}: {message}\n{notes}", code.severity, code.id)
    };
    diagnostics.iter().map(line).collect()
}
