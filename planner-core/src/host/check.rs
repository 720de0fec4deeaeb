//! Contradictions within a host: what cannot be true of one machine.

use super::codes;
use super::{Device, Host, RootComplex, Window};
use crate::addr::{Hpa, Span};
use crate::diag::Diagnostic;
use crate::facts::host::{BarKind, WindowKind};

/// Adds a diagnostic for everything that cannot, or should not, be true of the host.
pub(super) fn check(host: &Host, found: &mut Vec<Diagnostic>) {
    check_ram(host, found);
    check_buses(host, found);
    host.root_complexes.iter().for_each(|complex| check_windows(complex, found));
    check_doorbells(host, found);
    host.devices.iter().for_each(|device| check_device(host, device, found));
    host.root_complexes.iter().for_each(|complex| check_inbound(host, complex, found));
}

fn check_ram(host: &Host, found: &mut Vec<Diagnostic>) {
    for pair in host.ram.windows(2) {
        let [low, high] = pair else { continue };
        if low.span.overlaps(high.span) {
            let message = format!("RAM {} overlaps RAM {}", high.span, low.span);
            found.push(
                Diagnostic::new(&codes::RAM_OVERLAP, high.origin.clone(), message)
                    .related(low.origin.clone(), "the other bank")
                    .help("let one bank end where the other begins"),
            );
        }
    }
}

fn check_buses(host: &Host, found: &mut Vec<Diagnostic>) {
    let mut complexes: Vec<&RootComplex> = host.root_complexes.iter().collect();
    complexes.sort_by_key(|complex| (complex.segment, complex.first_bus));
    for pair in complexes.windows(2) {
        let [low, high] = pair else { continue };
        if low.segment == high.segment && high.first_bus <= low.last_bus {
            let message = format!(
                "bus {:#04x} of segment {} belongs to `{}` and to `{}`",
                high.first_bus, high.segment, low.name, high.name
            );
            found.push(
                Diagnostic::new(&codes::BUS_OVERLAP, high.origin.clone(), message)
                    .related(
                        low.origin.clone(),
                        format!("buses {:#04x}..={:#04x}", low.first_bus, low.last_bus),
                    )
                    .help("narrow `buses` of one of them, or give it another `segment`"),
            );
        }
    }
}

fn is_memory(window: &&Window) -> bool {
    window.kind != WindowKind::Io
}

fn check_windows(complex: &RootComplex, found: &mut Vec<Diagnostic>) {
    let mut windows: Vec<&Window> = complex.windows.iter().filter(is_memory).collect();
    windows.sort_by_key(|window| window.bus);
    for pair in windows.windows(2) {
        let [low, high] = pair else { continue };
        if low.bus.overlaps(high.bus) {
            let message =
                format!("windows of `{}` overlap on the bus: {} and {}", complex.name, low.bus, high.bus);
            found.push(
                Diagnostic::new(&codes::WINDOW_OVERLAP, high.origin.clone(), message)
                    .related(low.origin.clone(), "the other window")
                    .note("windows are compared in bus addresses, not in CPU addresses"),
            );
        }
    }
}

fn bank_around(host: &Host, span: Span<Hpa>) -> Option<&crate::facts::host::RamFact> {
    let after = host.ram.partition_point(|bank| bank.span.last() < span.first());
    host.ram.get(after).filter(|bank| bank.span.overlaps(span))
}

fn check_doorbells(host: &Host, found: &mut Vec<Diagnostic>) {
    for doorbell in &host.doorbells {
        if let Some(bank) = bank_around(host, doorbell.frame) {
            let message =
                format!("`{}` at {} lies inside the RAM bank {}", doorbell.name, doorbell.frame, bank.span);
            found.push(
                Diagnostic::new(&codes::DOORBELL_IN_RAM, doorbell.origin.clone(), message)
                    .related(bank.origin.clone(), "this bank")
                    .help("compare the base with the MADT or the device tree"),
            );
        }
    }
}

fn check_device(host: &Host, device: &Device, found: &mut Vec<Diagnostic>) {
    let Some(complex) = host.root_complex_of(device) else { return };
    let address = device.address;
    if address.segment() != complex.segment
        || !(complex.first_bus..=complex.last_bus).contains(&address.bus())
    {
        let message = format!(
            "{address} is no function of `{}`, which has segment {:04x}, buses {:02x} to {:02x}",
            complex.name, complex.segment, complex.first_bus, complex.last_bus
        );
        found.push(
            Diagnostic::new(&codes::DEVICE_BUS, device.origin.clone(), message)
                .related(complex.origin.clone(), "this root complex"),
        );
    }
    for bar in &device.bars {
        let Some(span) = bar.at.and_then(|at| Span::from_start_size(at, bar.size)) else { continue };
        let io = bar.kind == BarKind::Io;
        let inside = complex.windows.iter().any(|window| is_memory(&window) != io && window.cpu.covers(span));
        if !inside && !complex.windows.is_empty() && !io {
            let message =
                format!("BAR {} of {address} at {span} lies in no window of `{}`", bar.index, complex.name);
            found.push(Diagnostic::new(&codes::BAR_OUTSIDE, bar.origin.clone(), message));
        }
    }
}

fn check_inbound(host: &Host, complex: &RootComplex, found: &mut Vec<Diagnostic>) {
    if complex.inbound.is_empty() {
        return;
    }
    let reached: crate::span_set::SpanSet<Hpa> = complex.inbound.iter().map(|inbound| inbound.cpu).collect();
    for bank in &host.ram {
        if !reached.covers(bank.span) {
            let message = format!(
                "devices of `{}` cannot reach all of RAM {} without an IOMMU",
                complex.name, bank.span
            );
            found.push(
                Diagnostic::new(&codes::INBOUND_SHORT, complex.origin.clone(), message)
                    .related(bank.origin.clone(), "this bank"),
            );
        }
    }
}
