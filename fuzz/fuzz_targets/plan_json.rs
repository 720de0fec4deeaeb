//! Any bytes as a plan made earlier: reading, checking and emitting it return.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use planner_core::answer::read_plan;
use planner_core::emit;
use planner_core::host::{Host, resolve::resolve};
use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::{Question, report};
use planner_core::read::language::parse_host;
use planner_core::verify::verify;

const HOST: &str = include_str!("../../examples/amd-seattle/host.host");

fn host() -> &'static (Host, ReservedReport) {
    static ONCE: OnceLock<(Host, ReservedReport)> = OnceLock::new();
    ONCE.get_or_init(|| {
        let (host, _) = resolve(&parse_host("host", HOST).0);
        let reserved = report(&host, &Question::default());
        (host, reserved)
    })
}

fuzz_target!(|data: &[u8]| {
    let Ok(plan) = read_plan(&String::from_utf8_lossy(data)) else { return };
    let (host, reserved) = host();
    let _ = verify(host, reserved, &plan.guest, &plan);
    let _ = emit::options(&plan);
    for target in emit::targets(&plan) {
        let _ = emit::emit(&plan, target);
    }
});
