//! From the words of flags to facts: each flag is read here, and what cannot be meant is told with the flag, what was
//! found and what is expected.

use planner_core::diag::{Diagnostic, Origin};
use planner_core::facts::guest::{
    HazardPolicy, LayoutPolicy, MemoryFact, NumaFact, PassFact, Viommu, VmmFact, VmmKind,
};
use planner_core::facts::{Arch, GuestFacts, value_of};
use planner_core::ids::{GroupId, PciAddress};
use planner_core::size::{PageSize, Size, parse_number};
use planner_core::version::Version;

use crate::args::GuestArgs;
use crate::codes;

/// A flag with the value that was typed.
#[derive(Clone, Copy)]
pub(crate) struct Flag<'a> {
    /// With its dashes.
    pub(crate) name: &'static str,
    /// As typed.
    pub(crate) value: &'a str,
}

/// A value, or why there is none. The diagnostic is boxed because it is large and rare.
pub(crate) type Read<T> = Result<T, Box<Diagnostic>>;

impl Flag<'_> {
    /// Where it was said.
    pub(crate) fn origin(self) -> Origin {
        Origin::argument(format!("{} {}", self.name, self.value))
    }

    fn bad(self, part: &str, expected: &str) -> Box<Diagnostic> {
        let message = format!("{}: found `{part}`, expected {expected}", self.name);
        Box::new(
            Diagnostic::new(&codes::BAD_VALUE, self.origin(), message).label(format!("expected {expected}")),
        )
    }

    fn size_of(self, part: &str) -> Read<Size> {
        let bytes =
            parse_number(part).map_err(|_| self.bad(part, "a size such as 16G, 2M or 0x4000_0000"))?;
        Ok(Size::from_bytes(bytes))
    }

    fn count_of(self, part: &str) -> Read<u32> {
        let number = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        number.ok_or_else(|| self.bad(part, "a number"))
    }

    pub(crate) fn positive(self) -> Read<u32> {
        match self.count_of(self.value)? {
            0 => Err(self.bad(self.value, "a number of at least 1")),
            count => Ok(count),
        }
    }

    /// A page size.
    pub(crate) fn page(self) -> Read<PageSize> {
        let page = parse_number(self.value).ok().and_then(PageSize::from_bytes);
        page.ok_or_else(|| self.bad(self.value, "a page size such as 4K, 64K, 2M or 1G"))
    }

    /// A version.
    pub(crate) fn version(self) -> Read<Version> {
        self.version_of(self.value)
    }

    fn version_of(self, part: &str) -> Read<Version> {
        part.parse().map_err(|_| self.bad(part, "a version such as 6.12 or 6.1.192"))
    }

    /// The number of an IOMMU group.
    pub(crate) fn group(self) -> Read<GroupId> {
        self.count_of(self.value).map(GroupId)
    }

    /// Two PCI functions.
    pub(crate) fn pair(self) -> Read<[PciAddress; 2]> {
        let expected = "two PCI addresses such as 0000:01:00.0,0000:02:00.0";
        let (one, other) = self.value.split_once(',').ok_or_else(|| self.bad(self.value, expected))?;
        let address = |part: &str| part.trim().parse().map_err(|_| self.bad(part, expected));
        Ok([address(one)?, address(other)?])
    }

    /// A number of columns.
    pub(crate) fn columns(self) -> Read<usize> {
        let columns = self.count_of(self.value)?;
        if columns < 20 { Err(self.bad(self.value, "at least 20 columns")) } else { Ok(columns as usize) }
    }

    pub(crate) fn ipa_bits(self) -> Read<u8> {
        let bits = u8::try_from(self.count_of(self.value)?).ok().filter(|bits| (32..=64).contains(bits));
        bits.ok_or_else(|| self.bad(self.value, "a number of address bits from 32 to 64"))
    }

    /// A VMM, perhaps with a version: `qemu=11.1`.
    pub(crate) fn vmm(self) -> Read<(VmmKind, Option<Version>)> {
        let (name, version) = match self.value.split_once('=') {
            Some((name, version)) => (name, Some(self.version_of(version)?)),
            None => (self.value, None),
        };
        let known: Vec<&str> = VmmKind::WORDS.iter().map(|(word, _)| *word).collect();
        let kind = value_of(VmmKind::WORDS, name).ok_or_else(|| {
            self.bad(name, &format!("one of {}, perhaps with a version as in qemu=11.1", known.join(", ")))
        })?;
        Ok((kind, version))
    }

    /// Memory as QEMU writes it: `4G,maxmem=64G,slots=4`.
    pub(crate) fn memory(self) -> Read<MemoryFact> {
        let mut parts = self.value.split(',');
        let size = self.size_of(parts.next().unwrap_or_default())?;
        let mut memory = MemoryFact { size, pages: None, hotplug: None, slots: None, origin: self.origin() };
        for part in parts {
            match part.split_once('=') {
                Some(("maxmem", most)) => memory.hotplug = Some(self.beyond(size, most)?),
                Some(("slots", slots)) => memory.slots = Some(self.count_of(slots)?),
                _ => return Err(self.bad(part, "maxmem=SIZE or slots=N")),
            }
        }
        Ok(memory)
    }

    fn beyond(self, size: Size, most: &str) -> Read<Size> {
        let room = self.size_of(most)?.checked_sub(size);
        room.ok_or_else(|| self.bad(most, &format!("a maxmem of at least {}", size.compact())))
    }

    fn device(self) -> Read<PassFact> {
        let device: Result<PciAddress, _> = self.value.parse();
        let device = device.map_err(|_| self.bad(self.value, "a PCI address such as 0000:03:00.0"))?;
        Ok(PassFact { device, origin: self.origin() })
    }

    /// A NUMA node: `8G,cpus=0-3,host-node=1`.
    fn numa(self, node: u32) -> Read<NumaFact> {
        let mut parts = self.value.split(',');
        let memory = self.size_of(parts.next().unwrap_or_default())?;
        let mut fact = NumaFact {
            node,
            memory,
            first_cpu: None,
            last_cpu: None,
            host_node: None,
            origin: self.origin(),
        };
        for part in parts {
            match part.split_once('=') {
                Some(("cpus", cpus)) => {
                    let (first, last) = cpus.split_once('-').unwrap_or((cpus, cpus));
                    (fact.first_cpu, fact.last_cpu) =
                        (Some(self.count_of(first)?), Some(self.count_of(last)?));
                }
                Some(("host-node", host)) => fact.host_node = Some(self.count_of(host)?),
                _ => return Err(self.bad(part, "cpus=FIRST-LAST or host-node=N")),
            }
        }
        Ok(fact)
    }
}

impl GuestArgs {
    /// Whether any of them was given.
    pub(crate) fn any(&self) -> bool {
        let words = [
            &self.memory,
            &self.vcpus,
            &self.vmm,
            &self.machine,
            &self.cpu,
            &self.page,
            &self.arch,
            &self.ipa_bits,
            &self.viommu,
            &self.hazards,
            &self.policy,
        ];
        self.iommufd
            || !self.pass.is_empty()
            || !self.numa.is_empty()
            || words.into_iter().any(Option::is_some)
    }
}

/// Lets the flags override the facts of a description. Returns what cannot be meant; those flags change nothing.
pub(crate) fn override_guest(args: &GuestArgs, guest: &mut GuestFacts) -> Vec<Diagnostic> {
    let mut found = Found::default();
    override_memory(args, guest, &mut found);
    override_vmm(args, guest, &mut found);
    if let Some(vcpus) = found.take(flag("--vcpus", args.vcpus.as_ref()), Flag::positive) {
        guest.vcpus = Some(vcpus);
    }
    if let Some(bits) = found.take(flag("--ipa-bits", args.ipa_bits.as_ref()), Flag::ipa_bits) {
        guest.ipa_bits = Some(bits);
    }
    if !args.pass.is_empty() {
        let flags = args.pass.iter().map(|value| flag("--pass", Some(value)));
        guest.pass = flags.filter_map(|flag| found.take(flag, Flag::device)).collect();
    }
    if !args.numa.is_empty() {
        let flags = (0..).zip(args.numa.iter().map(|value| flag("--numa", Some(value))));
        guest.numa = flags.filter_map(|(node, flag)| found.take(flag, |flag| flag.numa(node))).collect();
    }
    override_words(args, guest);
    found.0
}

fn override_memory(args: &GuestArgs, guest: &mut GuestFacts, found: &mut Found) {
    if let Some(memory) = found.take(flag("--memory", args.memory.as_ref()), Flag::memory) {
        let before = guest.memory.take();
        let pages = before.as_ref().and_then(|before| before.pages);
        let hotplug = memory.hotplug.or(before.as_ref().and_then(|before| before.hotplug));
        let slots = memory.slots.or(before.as_ref().and_then(|before| before.slots));
        guest.memory = Some(MemoryFact { pages, hotplug, slots, ..memory });
    }
    let page = flag("--page", args.page.as_ref());
    if let Some(pages) = found.take(page, Flag::page) {
        let origin = page.map(Flag::origin).unwrap_or_default();
        let none = MemoryFact { size: Size::ZERO, pages: None, hotplug: None, slots: None, origin };
        guest.memory.get_or_insert(none).pages = Some(pages);
    }
}

fn override_vmm(args: &GuestArgs, guest: &mut GuestFacts, found: &mut Found) {
    let vmm = flag("--vmm", args.vmm.as_ref());
    if let Some((kind, version)) = found.take(vmm, Flag::vmm) {
        let origin = vmm.map(Flag::origin).unwrap_or_default();
        // Another VMM has other machines; the same one keeps the machine of the description.
        let same = guest.vmm.take().filter(|before| before.kind == kind);
        let version = version.or(same.as_ref().and_then(|before| before.version));
        guest.vmm = Some(match same {
            Some(before) => VmmFact { version, origin, ..before },
            None => VmmFact { kind, version, machine: None, cpu: None, custom: None, origin },
        });
    }
    for (name, value) in [("--machine", &args.machine), ("--cpu", &args.cpu)] {
        let Some(said) = flag(name, value.as_ref()) else { continue };
        let qemu = VmmFact {
            kind: VmmKind::Qemu,
            version: None,
            machine: None,
            cpu: None,
            custom: None,
            origin: said.origin(),
        };
        let vmm = guest.vmm.get_or_insert(qemu);
        let place = if name == "--machine" { &mut vmm.machine } else { &mut vmm.cpu };
        *place = Some(said.value.into());
    }
}

/// Flags whose words clap has already compared with the table.
fn override_words(args: &GuestArgs, guest: &mut GuestFacts) {
    fn word<T: Copy>(table: &[(&'static str, T)], typed: Option<&String>, place: &mut Option<T>) {
        *place = typed.and_then(|word| value_of(table, word)).or(*place);
    }
    word(&Arch::WORDS, args.arch.as_ref(), &mut guest.arch);
    word(Viommu::WORDS, args.viommu.as_ref(), &mut guest.viommu);
    word(HazardPolicy::WORDS, args.hazards.as_ref(), &mut guest.hazards);
    word(LayoutPolicy::WORDS, args.policy.as_ref(), &mut guest.policy);
    if args.iommufd {
        guest.iommufd = Some(true);
    }
}

/// A flag, if it was given.
pub(crate) fn flag<'a>(name: &'static str, value: Option<&'a String>) -> Option<Flag<'a>> {
    value.map(|value| Flag { name, value })
}

/// What cannot be meant.
#[derive(Default)]
pub(crate) struct Found(pub(crate) Vec<Diagnostic>);

impl Found {
    /// The value of a flag, if it was given and can be meant.
    pub(crate) fn take<'a, T>(
        &mut self,
        flag: Option<Flag<'a>>,
        read: impl FnOnce(Flag<'a>) -> Read<T>,
    ) -> Option<T> {
        match flag.map(read)? {
            Ok(value) => Some(value),
            Err(diagnostic) => {
                self.0.push(*diagnostic);
                None
            }
        }
    }
}
