//! An inspection as text: the machine, its IOMMUs and doorbells, each root complex with a tree of what is below it,
//! groups, what is missing. Lines are at most as wide as the style says, where words allow it.

use std::fmt::Write as _;

use super::{Bridge, Capture, Function, Group, Inspection, Machine, Missing, Pair, Way};
use crate::addr::{Address, Span};
use crate::ids::{GroupId, PciAddress};
use crate::map::{Glyphs, TextStyle};
use crate::render::Color;
use crate::size::binary_size;

/// The text. Ends with a line break.
#[must_use]
pub fn text(inspection: &Inspection, style: &TextStyle) -> String {
    let mut page = Page { style: *style, out: String::new() };
    page.machine(&inspection.host);
    page.capture(inspection.capture.as_ref());
    page.iommus(inspection);
    page.doorbells(inspection);
    let short = Short::new(inspection);
    for complex in &inspection.root_complexes {
        page.root_complex(complex, &short);
    }
    if !inspection.elsewhere.is_empty() {
        page.heading("below no known root complex");
        page.functions(&inspection.elsewhere, &short);
    }
    page.groups(&inspection.groups);
    page.firmware(inspection);
    page.missing(&inspection.missing);
    page.out
}

/// Where peer-to-peer requests go, as far as that was asked. Ends with a line break.
#[must_use]
pub fn routes(inspection: &Inspection, style: &TextStyle) -> String {
    let mut page = Page { style: *style, out: String::new() };
    page.heading(&format!("{}: DMA from one function to a register of another", inspection.host.name));
    if let Some(Pair { from, to, way }) = &inspection.p2p_pair {
        page.way(&format!("from {from} to {to}"), way);
    }
    for turn in inspection.p2p.iter().flatten() {
        let peers = match turn.to {
            "same-device" => "other functions of the same device",
            "same-parent" => "everything else below it",
            _ => "what is below other root complexes",
        };
        page.way(&format!("below {}, from {} to {peers}", turn.below, some(&turn.from)), &turn.way);
    }
    if inspection.p2p.as_ref().is_some_and(Vec::is_empty) {
        page.line("  ", "  ", &["no function has a peer".to_owned()]);
    }
    page.out
}

/// Most functions that are named in a row.
const MOST_NAMED: usize = 4;

fn some(functions: &[PciAddress]) -> String {
    let named: Vec<String> = functions.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    match functions.len().saturating_sub(MOST_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What need not be said of each function, because it is the same for all.
struct Short {
    iommu: Naming,
    doorbell: Naming,
    has_groups: bool,
}

/// How the IOMMU or the doorbell of a function is told.
enum Naming {
    /// There is none, so nothing is said.
    Nothing,
    /// There is one: only who does not have it is told.
    Lack(&'static str),
    /// There are several.
    Name(&'static str),
}

impl Short {
    fn new(inspection: &Inspection) -> Self {
        let naming = |count, lack| match count {
            0 => Naming::Nothing,
            1 => Naming::Lack(lack),
            _ => Naming::Name(lack),
        };
        Self {
            iommu: naming(inspection.iommus.len(), "no IOMMU"),
            // That a doorbell is not known is no lack of the function.
            doorbell: naming(inspection.doorbells.len(), ""),
            has_groups: !inspection.groups.is_empty(),
        }
    }
}

struct Page {
    style: TextStyle,
    out: String,
}

impl Page {
    fn paint(&self, sgr: &str, text: &str) -> String {
        match self.style.color {
            Color::Never => text.to_owned(),
            Color::Always => format!("\x1b[{sgr}m{text}\x1b[0m"),
        }
    }

    fn heading(&mut self, text: &str) {
        let painted = self.paint("1", &visible(text));
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let _ = writeln!(self.out, "{painted}");
    }

    /// A lead and parts, two spaces apart, in lines that are as wide as allowed; further ones after `hang`.
    fn line(&mut self, lead: &str, hang: &str, parts: &[String]) {
        let mut line = lead.to_owned();
        let mut columns = lead.chars().count();
        let mut is_first = true;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let part = visible(part);
            let length = part.chars().count();
            let wide = columns.saturating_add(length).saturating_add(2) > self.style.width;
            if wide && !is_first {
                let _ = writeln!(self.out, "{}", line.trim_end());
                line = format!("{hang}  {part}");
                columns = hang.chars().count().saturating_add(2).saturating_add(length);
            } else {
                let gap = if is_first { "" } else { "  " };
                let _ = write!(line, "{gap}{part}");
                columns = columns.saturating_add(gap.len()).saturating_add(length);
            }
            is_first = false;
        }
        let _ = writeln!(self.out, "{}", line.trim_end());
    }

    fn machine(&mut self, machine: &Machine) {
        let Machine { name, arch, kernel, page_size, .. } = machine;
        self.heading(&format!("{name}: {arch}, Linux {kernel} with {page_size} pages"));
        let known = |known: Option<bool>, yes: &str, no: &str| match known {
            Some(true) => yes.to_owned(),
            Some(false) => no.to_owned(),
            None => String::new(),
        };
        let bits = |bits: Option<u8>, what: &str| {
            bits.map_or(String::new(), |bits| format!("{bits} bits of {what}"))
        };
        self.line(
            "  ",
            "  ",
            &[
                ram(&machine.ram),
                bits(machine.va_bits, "virtual address"),
                bits(machine.ipa_bits, "guest-physical address"),
                known(machine.iommufd, "iommufd is there", "no iommufd"),
                known(
                    machine.unsafe_interrupts,
                    "unsafe interrupts are allowed",
                    "unsafe interrupts are not allowed",
                ),
            ],
        );
    }

    fn capture(&mut self, capture: Option<&Capture>) {
        let Some(capture) = capture else { return };
        let lacking = |count: usize, how: &str| match count {
            0 => String::new(),
            _ => format!("{} {how}", counted(count, "file")),
        };
        self.line(
            "  ",
            "    ",
            &[
                format!("captured by {}", capture.maker),
                if capture.redacted { "redacted".to_owned() } else { "not redacted".to_owned() },
                lacking(capture.unread, "unread"),
                lacking(capture.partly, "read in part"),
                lacking(capture.left_out, "left out"),
            ],
        );
    }

    fn iommus(&mut self, inspection: &Inspection) {
        self.heading("IOMMUs");
        if inspection.iommus.is_empty() {
            self.line("  ", "  ", &["none".to_owned()]);
        }
        for iommu in &inspection.iommus {
            let pages = iommu.page_sizes.map(|sizes| {
                let sizes: Vec<String> = sizes.iter().map(|page| page.to_string()).collect();
                format!("pages {}", sizes.join(" "))
            });
            self.line(
                "  ",
                "    ",
                &[
                    iommu.name.clone(),
                    iommu.model.to_string(),
                    iommu.base.map_or(String::new(), |base| format!("registers at {base}")),
                    iommu.aperture.map_or(String::new(), |span| format!("aperture {span}")),
                    pages.unwrap_or_default(),
                    counted(iommu.functions, "function"),
                ],
            );
        }
    }

    fn doorbells(&mut self, inspection: &Inspection) {
        self.heading("doorbells");
        if inspection.doorbells.is_empty() {
            self.line("  ", "  ", &["none is known".to_owned()]);
        }
        for doorbell in &inspection.doorbells {
            self.line(
                "  ",
                "    ",
                &[
                    doorbell.name.clone(),
                    doorbell.kind.to_owned(),
                    format!("written at {}", doorbell.address),
                    format!("registers {}", doorbell.frame),
                    counted(doorbell.functions, "function"),
                ],
            );
        }
    }

    fn root_complex(&mut self, complex: &Bridge, short: &Short) {
        let Bridge { name, segment, first_bus, last_bus, .. } = complex;
        let node = complex.node.map_or(String::new(), |node| format!(", NUMA node {node}"));
        let count = complex.functions.iter().map(|entry| entry.count).fold(0, usize::saturating_add);
        self.heading(&format!(
            "root complex {name}: segment {segment:04x}, buses {first_bus:02x}..={last_bus:02x}{node}, {}",
            counted(count, "function")
        ));
        for window in &complex.windows {
            let same = window.cpu.first().get() == window.bus.first().get();
            self.line(
                "  ",
                "    ",
                &[
                    format!("window {}", window.kind),
                    sized(window.cpu),
                    if same { String::new() } else { format!("on the bus {}", window.bus) },
                    if window.prefetchable { "prefetchable".to_owned() } else { String::new() },
                    window.p2p.map_or(String::new(), |p2p| p2p.to_string()),
                ],
            );
        }
        for inbound in &complex.inbound {
            let parts = ["inbound".to_owned(), sized(inbound.cpu), format!("on the bus {}", inbound.bus)];
            self.line("  ", "    ", &parts);
        }
        self.functions(&complex.functions, short);
    }

    /// The tree. Entries stand in its order, so the last of its siblings is the one that no later entry of the same depth
    /// follows before one of less depth.
    fn functions(&mut self, entries: &[Function], short: &Short) {
        let continues = continuations(entries);
        let mut open: Vec<bool> = Vec::new();
        for (entry, &goes_on) in entries.iter().zip(&continues) {
            open.truncate(entry.depth);
            let [bar, blank, tee, corner] = self.branches();
            let stem: String = open.iter().map(|&open| if open { bar } else { blank }).collect();
            let lead = format!("  {stem}{}", if goes_on { tee } else { corner });
            let hang = format!("  {stem}{}", if goes_on { bar } else { blank });
            open.push(goes_on);
            self.line(&lead, &hang, &parts(entry, short));
        }
    }

    fn branches(&self) -> [&'static str; 4] {
        match self.style.glyphs {
            Glyphs::Ascii => ["|  ", "   ", "+- ", "`- "],
            Glyphs::Box => ["│  ", "   ", "├─ ", "└─ "],
        }
    }

    /// Groups of one function stand in the tree.
    fn groups(&mut self, groups: &[Group]) {
        if groups.is_empty() {
            self.heading("IOMMU groups: none");
            return;
        }
        let (alone, shared): (Vec<&Group>, Vec<&Group>) =
            groups.iter().partition(|group| group.devices.len() == 1 && group.others.is_empty());
        self.heading(&format!("IOMMU groups: {}, {} of one function", groups.len(), alone.len()));
        for group in shared {
            let devices = group.devices.iter().map(ToString::to_string).chain(group.others.iter().cloned());
            let mut parts = vec![group.id.to_string(), group.domain.clone().unwrap_or_default()];
            parts.extend(devices);
            if group.devices.is_empty() && group.others.is_empty() {
                parts.push("holds nothing".to_owned());
            }
            self.line("  ", "    ", &parts);
        }
    }

    fn firmware(&mut self, inspection: &Inspection) {
        if inspection.firmware.is_empty() {
            return;
        }
        self.heading("claimed by firmware");
        for region in &inspection.firmware {
            let mut parts = vec![region.name.clone(), region.kind.to_string(), sized(region.span)];
            parts.extend(region.devices.iter().map(ToString::to_string));
            self.line("  ", "    ", &parts);
        }
    }

    fn way(&mut self, what: &str, way: &Way) {
        self.words("  ", "    ", &format!("{what}: {}", way.words()));
        for because in &way.because {
            self.words("    because ", "      ", because);
        }
        if way.translated_direct {
            self.words("    but ", "      ", "requests that the sender had translated (ATS) go directly");
        }
    }

    /// A sentence in lines as wide as allowed.
    fn words(&mut self, lead: &str, hang: &str, text: &str) {
        let mut line = lead.to_owned();
        let mut is_first = true;
        for word in visible(text).split(' ') {
            let wide = line.chars().count().saturating_add(word.chars().count()).saturating_add(1)
                > self.style.width;
            if wide && !is_first {
                let _ = writeln!(self.out, "{}", line.trim_end());
                hang.clone_into(&mut line);
            } else if !is_first {
                line.push(' ');
            }
            line.push_str(word);
            is_first = false;
        }
        let _ = writeln!(self.out, "{line}");
    }

    fn missing(&mut self, missing: &[Missing]) {
        if missing.is_empty() {
            return;
        }
        self.heading("missing or doubtful");
        for kind in missing {
            let Missing { code, title, count, place, .. } = kind;
            let times = if *count == 1 { String::new() } else { format!(", {count} times") };
            self.line("  ", "    ", &[(*code).to_owned(), format!("{title}{times}"), place.clone()]);
        }
    }
}

/// Of each entry, whether a sibling follows.
fn continuations(entries: &[Function]) -> Vec<bool> {
    let mut follows: Vec<bool> = Vec::new();
    let mut seen: Vec<bool> = Vec::new();
    for entry in entries.iter().rev() {
        seen.truncate(entry.depth.saturating_add(1));
        seen.resize(entry.depth.saturating_add(1), false);
        follows.push(seen.last().copied().unwrap_or(false));
        if let Some(last) = seen.last_mut() {
            *last = true;
        }
    }
    follows.reverse();
    follows
}

/// What is said of a function, or of several.
fn parts(entry: &Function, short: &Short) -> Vec<String> {
    let mut parts = vec![place(entry)];
    parts.push(entry.id.map_or(String::new(), |id| id.to_string()));
    parts.push(match (entry.is_virtual, entry.count) {
        (false, 1) => entry.what.to_owned(),
        (false, _) => format!("{}s", entry.what),
        (true, 1) => format!("virtual function, {}", entry.what),
        (true, _) => format!("virtual functions, {}s", entry.what),
    });
    parts.push(match entry.buses {
        Some([first, last]) if first == last => format!("bus {first:02x}"),
        Some([first, last]) => format!("buses {first:02x}..={last:02x}"),
        None => String::new(),
    });
    parts.push(match entry.virtual_functions {
        Some([enabled, total]) => format!("{enabled} of {total} virtual functions"),
        None => String::new(),
    });
    parts.push(groups(&entry.groups, short.has_groups));
    let streams: Vec<u32> = entry.streams.iter().map(|stream| stream.0).collect();
    parts.push(named(entry.iommu.as_deref(), &short.iommu, "stream", &streams));
    let ids: Vec<u32> = entry.device_ids.iter().map(|id| id.0).collect();
    parts.push(named(entry.doorbell.as_deref(), &short.doorbell, "device ID", &ids));
    parts
}

/// `0000:03:00.0`, `64 x 0000:03:10.0 to 0000:03:17.7`
fn place(entry: &Function) -> String {
    match entry.count {
        0 | 1 => entry.address.to_string(),
        count => format!("{count} x {} to {}", entry.address, entry.last),
    }
}

/// `group 7`, `groups 7-70`
fn groups(groups: &[GroupId], host_has_some: bool) -> String {
    match groups {
        [] if host_has_some => "no group".to_owned(),
        [] => String::new(),
        [only] => format!("group {only}"),
        _ => format!("groups {}", runs(groups.iter().map(|group| group.0), |number| number.to_string())),
    }
}

/// `smmu0 stream 0x300`, `smmu0 streams 0x380-0x3bf`; the name is left out where there is one of its kind.
fn named(name: Option<&str>, naming: &Naming, what: &str, ids: &[u32]) -> String {
    let ids = match ids {
        [] => String::new(),
        [only] => format!("{what} {only:#x}"),
        _ => format!("{what}s {}", runs(ids.iter().copied(), |id| format!("{id:#x}"))),
    };
    match (name, naming) {
        (None, Naming::Lack(lack) | Naming::Name(lack)) => (*lack).to_owned(),
        (Some(name), Naming::Name(_)) => format!("{name} {ids}").trim_end().to_owned(),
        _ => ids,
    }
}

/// Most runs of numbers that are written.
const MOST_RUNS: usize = 6;

/// `0, 4-14, 20`; behind the sixth run, how many numbers there are.
fn runs(numbers: impl Iterator<Item = u32>, written: impl Fn(u32) -> String) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let more = runs.len().saturating_sub(MOST_RUNS);
    let shown = runs.iter().take(MOST_RUNS).map(|&(first, last)| {
        if first == last { written(first) } else { format!("{}-{}", written(first), written(last)) }
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn ram(spans: &[Span<crate::addr::Hpa>]) -> String {
    let bytes = spans.iter().map(|span| span.size_bytes()).fold(0, u128::saturating_add);
    match spans {
        [] => "RAM is not known".to_owned(),
        [only] => format!("RAM {}", sized(*only)),
        [.., last] => {
            let first = spans.first().unwrap_or(last);
            format!(
                "RAM {} in {} pieces from {} to {}",
                about(bytes),
                spans.len(),
                first.first(),
                last.last()
            )
        }
    }
}

/// A size that need not be exact: 2 GiB less what firmware keeps is no round number.
fn about(bytes: u128) -> String {
    let mib = bytes >> 20;
    if bytes & 0xf_ffff == 0 { binary_size(bytes) } else { format!("about {mib} MiB") }
}

fn sized<A: Address>(span: Span<A>) -> String {
    format!("{span} ({})", binary_size(span.size_bytes()))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// Names come from other people's machines: what would move the cursor is shown as it would be written.
fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}
