//! Facts to text, in canonical form: reading it gives the same facts.

mod guest;
mod host;

pub use guest::print_guest;
pub use host::print_host;

use crate::addr::{Address, BusAddr, Hpa, Span, grouped_hex};
use crate::ids::PciAddress;
use crate::size::{PageSize, Size};

/// `FIRST + SIZE` where the size is a round one, `FIRST..=LAST` else.
fn span<A: Address>(span: Span<A>) -> String {
    match span.size().filter(|size| size.bytes().is_multiple_of(crate::size::KIB)) {
        Some(size) => format!("{} + {}", span.first(), size.compact()),
        None => span.to_string(),
    }
}

/// A window: the short form where CPU and bus addresses agree.
fn window(cpu: Span<Hpa>, bus: BusAddr) -> String {
    match cpu.size() {
        Some(size) if cpu.first().get() != bus.get() => {
            format!("cpu {} bus {bus} size {}", cpu.first(), round(size))
        }
        _ => span(cpu),
    }
}

/// A size with a unit if there is one that divides it, else in hexadecimal.
fn round(size: Size) -> String {
    if size.bytes().is_multiple_of(crate::size::KIB) { size.compact() } else { grouped_hex(size.bytes()) }
}

/// `0..=7`, or `3` when it is one number alone.
fn range<T: PartialEq>(first: T, last: T, show: impl Fn(T) -> String) -> String {
    if first == last { show(first) } else { format!("{}..={}", show(first), show(last)) }
}

fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// `pages 4K 2M`
fn pages(sizes: impl Iterator<Item = PageSize>) -> String {
    let sizes: Vec<String> = sizes.map(|page| page.to_string()).collect();
    format!("pages {}", sizes.join(" "))
}

/// `KEYWORD BDF BDF …`, as many clauses as keep the lines short.
fn bdfs<'d>(keyword: &str, devices: impl IntoIterator<Item = &'d PciAddress>) -> Vec<super::layout::Line> {
    const ON_A_LINE: usize = 6;
    let devices: Vec<String> = devices.into_iter().map(ToString::to_string).collect();
    let lines = devices.chunks(ON_A_LINE);
    lines.map(|chunk| super::layout::Line::new(format!("{keyword} {}", chunk.join(" ")))).collect()
}
