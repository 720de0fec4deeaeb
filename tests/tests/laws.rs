//! The six laws of the planner, on small random hosts: verify accepts every plan; less reserved never makes a plan
//! impossible; the causes of a conflict alone still conflict, and none can be spared; the order of the input changes
//! nothing; brute force agrees; what is emitted says what was planned, and nothing else.

use planner_core::addr::{BusAddr, Hpa, Iova, Span};
use planner_core::emit;
use planner_core::facts::Arch;
use planner_core::facts::custom::CustomVmm;
use planner_core::facts::guest::{AvoidFact, GuestFacts, MemoryFact, PassFact, VmmFact, VmmKind};
use planner_core::facts::host::{
    DeviceFact, FirmwareKind, FirmwareRegionFact, HostFacts, IommuFact, IommuModel, KernelFact, PeerToPeer,
    RootComplexFact, StreamMapFact, WindowFact, WindowKind,
};
use planner_core::guest::{GuestSpec, resolve as guest_resolve};
use planner_core::host::{Host, resolve as host_resolve};
use planner_core::ids::{PciAddress, RequesterId};
use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::{Question, report};
use planner_core::plan::{self, Plan, Problem, conflict, place};
use planner_core::size::{PageSize, Size};
use planner_core::verify::verify;
use planner_core::version::Version;
use planner_tests::round_trip;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// Everything lies on multiples of this, so that brute force has few positions to try.
const UNIT: u64 = 256 << 20;
/// The aperture ends after so many units (16 GiB).
const UNITS: u64 = 64;

/// A small world: spans are `(first unit, number of units)`.
#[derive(Clone, Debug)]
struct World {
    windows: Vec<(u64, u64)>,
    firmware: Vec<(u64, u64)>,
    avoid: Vec<(u64, u64)>,
    memory_units: u64,
    vmm: VmmKind,
}

fn world() -> impl Strategy<Value = World> {
    let spans = |most| prop::collection::vec((0..UNITS, 1_u64..9), 0..most);
    // Three of four are those whose memory can be moved.
    let any = prop::sample::select(VmmKind::WORDS).prop_map(|(_, kind)| kind);
    let vmm = prop_oneof![Just(VmmKind::Qemu), Just(VmmKind::Kvmtool), Just(VmmKind::Custom), any];
    (spans(4), spans(4), spans(3), 1_u64..25, vmm).prop_map(
        |(windows, firmware, avoid, memory_units, vmm)| {
            // Windows of one root complex do not overlap; neighbours would merge and hide the order from the fourth law.
            let mut taken = [false; 256];
            let mut free = |&(first, count): &(u64, u64)| {
                let units: Vec<usize> = (first..first + count)
                    .map(|unit| usize::try_from(unit).expect("a small world"))
                    .collect();
                let clear = units.iter().all(|&unit| !taken[unit]);
                units.iter().for_each(|&unit| taken[unit] = true);
                clear
            };
            let windows = windows.into_iter().filter(|window| free(window)).collect();
            World { windows, firmware, avoid, memory_units, vmm }
        },
    )
}

fn device() -> PciAddress {
    PciAddress::new(0, 1, 0, 0).expect("bus 1, device 0")
}

fn span<A: planner_core::addr::Address>((first, count): (u64, u64)) -> Span<A> {
    Span::of(first * UNIT, (first + count) * UNIT - 1).expect("at least one unit")
}

fn host_of(world: &World) -> Host {
    let complex = RootComplexFact {
        name: "pcie".into(),
        last_bus: 255,
        streams: vec![StreamMapFact {
            iommu: "smmu".into(),
            first: RequesterId(0),
            last: RequesterId(0xffff),
            stream: None,
            shared: false,
            origin: Default::default(),
        }],
        windows: world.windows.iter().map(|&window| window_fact(window)).collect(),
        devices: vec![device_fact()],
        ..RootComplexFact::default()
    };
    let facts = HostFacts {
        name: "small".into(),
        arch: Some(Arch::Aarch64),
        kernel: Some(KernelFact {
            version: Version::new(6, 1),
            page_size: Some(PageSize::K4),
            va_bits: None,
            iommufd: None,
            unsafe_interrupts: None,
            origin: Default::default(),
        }),
        iommus: vec![IommuFact {
            name: "smmu".into(),
            model: Some(IommuModel::SmmuV3),
            base: None,
            aperture: Span::<Iova>::of(0, UNITS * UNIT - 1),
            pages: None,
            origin: Default::default(),
        }],
        root_complexes: vec![complex],
        firmware: world.firmware.iter().map(|&region| firmware_fact(region)).collect(),
        ..HostFacts::default()
    };
    let (host, found) = host_resolve::resolve(&facts);
    assert!(!planner_core::diag::has_errors(&found), "{found:?}");
    host
}

fn window_fact(window: (u64, u64)) -> WindowFact {
    let cpu: Span<Hpa> = span(window);
    WindowFact {
        kind: WindowKind::Mem64,
        cpu,
        bus: BusAddr::at(window.0 * UNIT),
        prefetchable: false,
        p2p: Some(PeerToPeer::Intercepts),
        origin: Default::default(),
    }
}

fn device_fact() -> DeviceFact {
    DeviceFact {
        address: device(),
        id: None,
        class: "0200".parse().ok(),
        node: None,
        bars: Vec::new(),
        msix: None,
        msi: None,
        sriov: None,
        config: Default::default(),
        origin: Default::default(),
    }
}

fn firmware_fact(region: (u64, u64)) -> FirmwareRegionFact {
    FirmwareRegionFact {
        name: format!("region{}", region.0),
        kind: FirmwareKind::Reserved,
        span: span(region),
        devices: vec![device()],
        requesters: Vec::new(),
        origin: Default::default(),
    }
}

/// Three pieces anywhere above the first unit.
fn described(vmm: VmmKind) -> Option<CustomVmm> {
    let movable = Span::of(UNIT, u64::MAX);
    let custom = CustomVmm { movable, pieces: Some(3), ..CustomVmm::default() };
    (vmm == VmmKind::Custom).then_some(custom)
}

fn guest_of(world: &World, host: &Host) -> GuestSpec {
    let facts = GuestFacts {
        name: "guest".into(),
        vmm: Some(VmmFact {
            kind: world.vmm,
            version: None,
            machine: None,
            cpu: None,
            custom: described(world.vmm),
            origin: Default::default(),
        }),
        memory: Some(MemoryFact {
            size: Size::from_bytes(world.memory_units * UNIT),
            pages: Some(PageSize::M2),
            hotplug: None,
            slots: None,
            origin: Default::default(),
        }),
        pass: vec![PassFact { device: device(), origin: Default::default() }],
        avoid: world
            .avoid
            .iter()
            .map(|&avoid| AvoidFact { span: span(avoid), origin: Default::default() })
            .collect(),
        ..GuestFacts::default()
    };
    let (guest, found) = guest_resolve::resolve(&facts, host);
    guest.unwrap_or_else(|| panic!("{found:?}"))
}

fn scene(world: &World) -> (Host, ReservedReport, GuestSpec) {
    let host = host_of(world);
    let reserved = report(&host, &Question::default());
    let guest = guest_of(world, &host);
    (host, reserved, guest)
}

fn planned(world: &World) -> Option<Plan> {
    let (host, reserved, guest) = scene(world);
    plan::plan(&host, &reserved, &guest).ok()
}

/// The world without one of its obstacles, for each of them.
fn less_reserved(world: &World) -> Vec<World> {
    let mut worlds = Vec::new();
    for index in 0..world.windows.len() {
        let mut less = world.clone();
        less.windows.remove(index);
        worlds.push(less);
    }
    for index in 0..world.firmware.len() {
        let mut less = world.clone();
        less.firmware.remove(index);
        worlds.push(less);
    }
    for index in 0..world.avoid.len() {
        let mut less = world.clone();
        less.avoid.remove(index);
        worlds.push(less);
    }
    worlds
}

/// Which units RAM may use, by looking at each.
fn free_units(world: &World) -> Vec<bool> {
    let obstacles = || world.windows.iter().chain(&world.firmware).chain(&world.avoid);
    // Unit 0 holds the MSI window at 0x0800_0000.
    (0..UNITS)
        .map(|unit| unit != 0 && !obstacles().any(|&(first, count)| (first..first + count).contains(&unit)))
        .collect()
}

/// The fewest pieces with which the guest fits, by trying everything.
fn brute_force(world: &World) -> Option<u64> {
    let free = free_units(world);
    let is_free =
        |unit: u64| usize::try_from(unit).ok().and_then(|unit| free.get(unit)).copied().unwrap_or(false);
    let memory = world.memory_units;
    match world.vmm {
        // kvmtool: one piece from 2 GiB (unit 8) up.
        VmmKind::Kvmtool => (8..UNITS).any(|base| (base..base + memory).all(is_free)).then_some(1),
        // QEMU virt: boot memory of at least 1 GiB at 1 GiB (unit 4); modules above its end rounded up to 1 GiB.
        VmmKind::Qemu => (1..=memory)
            .filter(|&boot| boot == memory || boot >= 4)
            .filter(|&boot| (4..4 + boot).all(is_free))
            .filter_map(|boot| {
                let area = (4 + boot).next_multiple_of(4);
                fewest_runs(memory - boot, &runs((area..UNITS).map(is_free))).map(|runs| 1 + runs)
            })
            .min(),
        // One piece from 2 GiB up.
        VmmKind::Crosvm => (8..8 + memory).all(is_free).then_some(1),
        // From 1 GiB (unit 4) to 64 MiB before 4 GiB (within unit 15), the rest from 4 GiB on.
        VmmKind::CloudHypervisor => around_hole(64, 16, memory, is_free),
        // From 1 GiB to the 32-bit window below the chipset's 512 MiB, the rest from 4 GiB on. The window can be larger.
        VmmKind::Openvmm => [64, 256, 1024, 2048]
            .into_iter()
            .filter_map(|window| around_hole(window + 512, 16, memory, is_free))
            .min(),
        // It passes no devices through.
        VmmKind::Firecracker => None,
        // Nor does it on arm64, but platform devices, which are none of these.
        VmmKind::Xen => None,
        VmmKind::Custom => fewest_runs(memory, &runs((1..UNITS).map(is_free))).filter(|&pieces| pieces <= 3),
    }
}

/// RAM from unit 4 to so many MiB below unit `end`, and the rest from there on: one piece, or two around the hole.
fn around_hole(hole_mib: u64, end: u64, memory: u64, is_free: impl Fn(u64) -> bool) -> Option<u64> {
    let mib = UNIT >> 20;
    let low = (end - 4) * mib - hole_mib;
    let rest = (memory * mib).saturating_sub(low);
    let touched = |mib_count: u64| mib_count.div_ceil(mib);
    let below = (4..4 + touched((memory * mib).min(low))).all(&is_free);
    let above = (end..end + touched(rest)).all(&is_free);
    (below && above).then_some(if rest == 0 { 1 } else { 2 })
}

fn runs(units: impl Iterator<Item = bool>) -> Vec<u64> {
    let mut runs = vec![0];
    for free in units {
        match (free, runs.last_mut()) {
            (true, Some(run)) => *run += 1,
            _ => runs.push(0),
        }
    }
    runs
}

/// The smallest number of runs that hold so many units, over all subsets of the runs.
fn fewest_runs(units: u64, runs: &[u64]) -> Option<u64> {
    let runs: Vec<u64> = runs.iter().copied().filter(|&run| run > 0).collect();
    (0_u32..1 << runs.len())
        .filter(|set| {
            let chosen = runs.iter().enumerate().filter(|(index, _)| set & (1 << index) != 0);
            chosen.map(|(_, run)| run).sum::<u64>() >= units
        })
        .map(|set| u64::from(set.count_ones()))
        .min()
}

/// Stretches of RAM: modules that touch count as two, boot memory and a touching module too.
fn pieces(plan: &Plan) -> u64 {
    u64::try_from(plan.ram.len()).expect("a handful")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn verify_accepts_every_plan(world in world()) {
        let (host, reserved, guest) = scene(&world);
        if let Ok(plan) = plan::plan(&host, &reserved, &guest) {
            prop_assert_eq!(verify(&host, &reserved, &guest, &plan), vec![]);
            prop_assert!(!emit::targets(&plan).is_empty(), "no configuration says {:?}", plan);
        }
    }

    #[test]
    fn less_reserved_never_makes_a_plan_impossible(world in world()) {
        if planned(&world).is_some() {
            for less in less_reserved(&world) {
                prop_assert!(planned(&less).is_some(), "{:?}", less);
            }
        }
    }

    #[test]
    fn the_causes_of_a_conflict_suffice_and_none_can_be_spared(world in world()) {
        let (host, reserved, guest) = scene(&world);
        let problem = Problem::new(&host, &reserved, &guest);
        // What the VMM lacks is a conflict by itself, whatever the layout.
        if problem.blockers.is_empty() && plan::solve(&problem).is_err() {
            let core = conflict::minimal_core(&problem);
            prop_assert!(place::search(&problem.with_constraints(core.clone())).is_none());
            for index in 0..core.len() {
                let mut spared = core.clone();
                spared.remove(index);
                prop_assert!(place::search(&problem.with_constraints(spared)).is_some(), "{:?}", core[index]);
            }
        }
    }

    #[test]
    fn the_order_of_the_input_changes_nothing(world in world()) {
        let mut turned = world.clone();
        turned.windows.reverse();
        turned.firmware.reverse();
        turned.avoid.reverse();
        let (one, other) = (planned(&world), planned(&turned));
        prop_assert_eq!(one.map(|plan| plan.ram), other.map(|plan| plan.ram));
    }

    #[test]
    fn what_is_emitted_says_the_plan_and_nothing_else(world in world()) {
        if let Some(plan) = planned(&world) {
            for target in emit::targets(&plan) {
                let told = round_trip::differences(&plan, target).unwrap_or_default();
                prop_assert!(told.is_empty(), "{}: {:#?}", target, told);
            }
        }
    }

    #[test]
    fn brute_force_agrees(world in world()) {
        prop_assert_eq!(planned(&world).as_ref().map(pieces), brute_force(&world), "{:?}", planned(&world));
    }
}

#[test]
fn what_is_emitted_otherwise_is_seen() {
    let world = |vmm| World { windows: vec![], firmware: vec![], avoid: vec![], memory_units: 8, vmm };
    for (vmm, target, memory, other) in [
        (VmmKind::Qemu, emit::Target::Qemu, "size=2G", "size=3G"),
        (VmmKind::Kvmtool, emit::Target::Kvmtool, "-m 2048M", "-m 2050M"),
        (VmmKind::Crosvm, emit::Target::Crosvm, "-m 2048", "-m 2050"),
        (VmmKind::CloudHypervisor, emit::Target::CloudHypervisor, "size=2G", "size=3G"),
    ] {
        let plan = planned(&world(vmm)).expect("nothing is in the way");
        for (from, to) in [(memory, other), ("0000:01:00.0", "0000:02:00.0")] {
            let mut files = emit::emit(&plan, target).expect("its own target");
            assert_eq!(round_trip::read_back(&plan, target, &files), Ok(vec![]));
            assert!(files[0].text.contains(from), "{}", files[0].text);
            files[0].text = files[0].text.replace(from, to);
            assert_ne!(round_trip::read_back(&plan, target, &files), Ok(vec![]), "{vmm}: {to}");
        }
    }
}

#[test]
fn the_worlds_are_worth_trying() {
    // A generator that made only easy or only impossible worlds would prove nothing.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut plans, mut conflicts, mut split) = (0, 0, 0);
    for _ in 0..300 {
        let world = world().new_tree(&mut runner).expect("a world").current();
        match planned(&world) {
            Some(plan) if plan.ram.len() > 1 => split += 1,
            Some(_) => plans += 1,
            None => conflicts += 1,
        }
    }
    assert!(
        plans > 30 && conflicts > 30 && split > 15,
        "{plans} plans, {split} split, {conflicts} conflicts"
    );
}
