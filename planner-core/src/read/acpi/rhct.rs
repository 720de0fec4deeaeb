//! RHCT: what the harts of a RISC-V machine can do (RISC-V Hart Capabilities Table, ACPI Specification 6.6, 5.2.37). Only
//! the instruction set and the page tables are kept.

use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use super::codes;
use super::parts::Parts;
use super::table::{Form, HEADER_BYTES, Structure, Table, kind16_length16};
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rhct {
    /// Instruction sets of the harts, each once.
    pub instruction_sets: Vec<InstructionSet>,
    /// Virtual address bits of the page tables of the harts: 39, 48 or 57.
    pub mmus: Vec<u8>,
}

/// An instruction set.
#[derive(Clone, PartialEq, Debug)]
pub struct InstructionSet {
    /// As the specification spells it: `rv64imafdch_zicbom`.
    pub text: String,
    /// The bytes of it.
    pub origin: Origin,
}

const FORM: Form = Form { what: "the node", least: 6, head: kind16_length16 };

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Rhct, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let table = Table::open(file, bytes, *b"RHCT", &mut log);
    (table.map(|table| read(&table, &mut log)).unwrap_or_default(), log.finish())
}

fn read(table: &Table<'_>, log: &mut Log) -> Rhct {
    let mut rhct = Rhct::default();
    // Flags, frequency of the time base, number of nodes, where they begin.
    let Some((_, _, count, first)) = table.fields((le_u32, le_u64, le_u32, le_u32)) else {
        let message = format!("the table has no more than {} bytes", HEADER_BYTES + 20);
        log.push(Diagnostic::new(&codes::STRUCTURE_END, table.origin(0..table.bytes.len()), message));
        return rhct;
    };
    let part = usize::try_from(first).unwrap_or(usize::MAX)..table.bytes.len();
    for node in table.structures(part, Some(count), &FORM, log) {
        take_node(table, &node, &mut rhct, log);
    }
    rhct
}

/// What a node says; `None` when it is too short, which was reported.
fn take_node(table: &Table<'_>, node: &Structure<'_>, rhct: &mut Rhct, log: &mut Log) -> Option<()> {
    match node.kind {
        0 => {
            table.fields_of(node, "an instruction set", (take(6_usize), le_u16), log)?;
            let text = node.bytes.get(8..)?.split(|&byte| byte == 0).next()?;
            let text = String::from_utf8_lossy(text).into_owned();
            rhct.instruction_sets.push(InstructionSet { text, origin: table.origin(node.range()) });
        }
        2 => {
            let (_, mode) = table.fields_of(node, "an MMU", (take(7_usize), le_u8), log)?;
            rhct.mmus.extend(match mode {
                0 => Some(39),
                1 => Some(48),
                2 => Some(57),
                _ => None,
            });
        }
        // Cache operations, and which hart has which of the other nodes.
        1 | 0xffff => {}
        _ => table.unknown(node, log),
    }
    Some(())
}

/// Adds what the table says.
pub(super) fn facts(rhct: &Rhct, parts: &mut Parts) {
    let wide = rhct.instruction_sets.iter().any(|set| set.text.starts_with("rv64"));
    parts.arch = parts.arch.or(wide.then_some(Arch::Riscv64));
}
