//! Makes tables byte by byte.

/// Bytes that grow by fields of little-endian numbers.
#[derive(Clone, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }
    pub(crate) fn u16(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }
    pub(crate) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }
    pub(crate) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    pub(crate) fn zeros(self, count: usize) -> Self {
        self.raw(&vec![0; count])
    }
}

pub(crate) fn bytes() -> Bytes {
    Bytes::default()
}

/// A table of this signature and revision with this behind its header.
pub(crate) fn table(signature: &str, revision: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(36 + body.len()).unwrap();
    let head =
        bytes().raw(signature.as_bytes()).u32(length).u8(revision).u8(0).raw(b"PLANS TESTS   ").zeros(12);
    summed(head.raw(body).0)
}

/// The table with the right checksum.
pub(crate) fn summed(mut table: Vec<u8>) -> Vec<u8> {
    table[9] = 0;
    table[9] = table.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    table
}

/// The table with other bytes from here on, and the right checksum.
pub(crate) fn patched(mut table: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    table[at..at + new.len()].copy_from_slice(new);
    summed(table)
}

/// An IORT whose first node stands at 0x30.
pub(crate) fn iort(revision: u8, nodes: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(nodes.len()).unwrap();
    table("IORT", revision, &bytes().u32(count).u32(48).u32(0).raw(&nodes.concat()).0)
}

/// An ID mapping: first input, number less one, first output, reference, flags.
pub(crate) type Mapping = [u32; 5];

/// A node of an IORT.
pub(crate) fn node(kind: u8, revision: u8, data: &Bytes, mappings: &[Mapping]) -> Vec<u8> {
    let offset = 16 + data.0.len();
    let length = u16::try_from(offset + 20 * mappings.len()).unwrap();
    let count = u32::try_from(mappings.len()).unwrap();
    let head =
        bytes().u8(kind).u16(length).u8(revision).u32(0).u32(count).u32(u32::try_from(offset).unwrap());
    let mappings = mappings.iter().flatten().fold(bytes(), |bytes, field| bytes.u32(*field));
    head.raw(&data.0).raw(&mappings.0).0
}

/// An ITS group, 24 bytes with one ITS.
pub(crate) fn its_group(its: &[u32]) -> Vec<u8> {
    let ids = its.iter().fold(bytes().u32(u32::try_from(its.len()).unwrap()), |bytes, id| bytes.u32(*id));
    node(0, 1, &ids, &[])
}

/// An SMMUv3 without wires, 68 bytes and its mappings. The index is that of the mapping of its own MSIs.
pub(crate) fn smmu_v3(base: u64, model: u32, index: u32, mappings: &[Mapping]) -> Vec<u8> {
    let data = bytes().u64(base).u32(1).zeros(12).u32(model).zeros(16).u32(0).u32(index);
    node(4, 4, &data, mappings)
}

/// An SMMUv1 or v2, 60 bytes and its mappings.
pub(crate) fn smmu(base: u64, model: u32, mappings: &[Mapping]) -> Vec<u8> {
    let data = bytes().u64(base).u64(0x2_0000).u32(model).u32(2).zeros(20);
    node(3, 3, &data, mappings)
}

/// A root complex, 36 bytes and its mappings.
pub(crate) fn root(segment: u32, mappings: &[Mapping]) -> Vec<u8> {
    node(2, 3, &bytes().u64(1).u32(0).u32(segment).u32(64), mappings)
}

/// An RMR node, 28 bytes, its mappings and its memory descriptors of base and length.
pub(crate) fn rmr(flags: u32, mappings: &[Mapping], memory: &[(u64, u64)]) -> Vec<u8> {
    let offset = u32::try_from(28 + 20 * mappings.len()).unwrap();
    let data = bytes().u32(flags).u32(u32::try_from(memory.len()).unwrap()).u32(offset);
    let node = node(6, 3, &data, mappings);
    let memory = memory.iter().fold(bytes(), |bytes, &(base, length)| bytes.u64(base).u64(length).u32(0));
    let length = u16::try_from(node.len() + memory.0.len()).unwrap();
    let mut whole = Bytes(node).raw(&memory.0).0;
    whole[1..3].copy_from_slice(&length.to_le_bytes());
    whole
}

/// A MADT with these structures.
pub(crate) fn madt(structures: &[Bytes]) -> Vec<u8> {
    let all = structures.iter().fold(bytes().zeros(8), |bytes, structure| bytes.raw(&structure.0));
    table("APIC", 5, &all.0)
}

/// An ITS in a MADT.
pub(crate) fn madt_its(id: u32, base: u64) -> Bytes {
    bytes().u8(0x0f).u8(20).u16(0).u32(id).u64(base).u32(0)
}

/// An MCFG with entries of base, segment and buses.
pub(crate) fn mcfg(entries: &[(u64, u16, u8, u8)]) -> Vec<u8> {
    let entry = |bytes: Bytes, &(base, segment, first, last): &_| {
        bytes.u64(base).u16(segment).u8(first).u8(last).u32(0)
    };
    table("MCFG", 1, &entries.iter().fold(bytes().zeros(8), entry).0)
}

/// A DMAR of 48 address bits with these structures.
pub(crate) fn dmar(structures: &[Bytes]) -> Vec<u8> {
    let all =
        structures.iter().fold(bytes().u8(47).u8(1).zeros(10), |bytes, structure| bytes.raw(&structure.0));
    table("DMAR", 1, &all.0)
}

/// A structure of a DMAR: kind, fields behind its length, device scopes.
pub(crate) fn dmar_structure(kind: u16, fields: &Bytes, scopes: &[Bytes]) -> Bytes {
    let rest = scopes.iter().fold(fields.clone(), |bytes, scope| bytes.raw(&scope.0));
    bytes().u16(kind).u16(u16::try_from(4 + rest.0.len()).unwrap()).raw(&rest.0)
}

/// A device scope: kind, first bus, devices and functions.
pub(crate) fn scope(kind: u8, bus: u8, path: &[(u8, u8)]) -> Bytes {
    let head = bytes().u8(kind).u8(u8::try_from(6 + 2 * path.len()).unwrap()).u16(0).u8(0).u8(bus);
    path.iter().fold(head, |bytes, &(device, function)| bytes.u8(device).u8(function))
}

/// A DRHD.
pub(crate) fn drhd(flags: u8, segment: u16, base: u64, scopes: &[Bytes]) -> Bytes {
    dmar_structure(0, &bytes().u8(flags).u8(0).u16(segment).u64(base), scopes)
}

/// An RMRR.
pub(crate) fn rmrr(segment: u16, first: u64, last: u64, scopes: &[Bytes]) -> Bytes {
    dmar_structure(1, &bytes().u16(0).u16(segment).u64(first).u64(last), scopes)
}

/// An IVRS with these blocks.
pub(crate) fn ivrs(blocks: &[Bytes]) -> Vec<u8> {
    let all = blocks.iter().fold(bytes().u32(0x2800).zeros(8), |bytes, block| bytes.raw(&block.0));
    table("IVRS", 2, &all.0)
}

/// An IVHD of this kind, own requester ID and segment.
pub(crate) fn ivhd(kind: u8, own: u16, segment: u16, base: u64, entries: &[Bytes]) -> Bytes {
    let features = if kind == 0x10 { 0 } else { 16 };
    let fields = bytes().u16(own).u16(0x40).u64(base).u16(segment).u16(0).u32(0).zeros(features);
    let rest = entries.iter().fold(fields, |bytes, entry| bytes.raw(&entry.0));
    bytes().u8(kind).u8(0).u16(u16::try_from(4 + rest.0.len()).unwrap()).raw(&rest.0)
}

/// A device entry of four bytes.
pub(crate) fn entry(kind: u8, device: u16) -> Bytes {
    bytes().u8(kind).u16(device).u8(0)
}

/// A device entry of eight bytes with an alias.
pub(crate) fn aliased(kind: u8, device: u16, alias: u16) -> Bytes {
    entry(kind, device).u8(0).u16(alias).u8(0)
}

/// An IVMD.
pub(crate) fn ivmd(kind: u8, flags: u8, devices: (u16, u16), segment: u16, memory: (u64, u64)) -> Bytes {
    let head = bytes().u8(kind).u8(flags).u16(32).u16(devices.0).u16(devices.1).u16(segment).zeros(6);
    head.u64(memory.0).u64(memory.1)
}
