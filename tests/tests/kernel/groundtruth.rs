//! Booted kernels as the judge: what VFIO and iommufd answered on real boots, against the model.

use planner_core::addr::Span;
use planner_core::facts::Arch;
use planner_core::facts::host::IommuModel;
use planner_core::host::{DoorbellSource, Host};
use planner_core::ids::GroupId;
use planner_core::kernel::{GroupReport, IommufdAnswer, Question, report, sysfs_text_of};
use planner_core::size::{PageSize, parse_number};
use serde_json::Value;

use crate::hosts::{host, with_doorbell, with_listing};

/// Calls `check` with each group of each boot, its name, and a host made to be like it.
fn each_group(mut check: impl FnMut(&str, &Value, Host)) {
    let table: Value = serde_json::from_str(include_str!("../../vectors/captures-groundtruth.json"))
        .expect("the recorded file is JSON");
    for boot in list(&table) {
        for group in list(&boot["groups"]) {
            let name = format!("{} group {}", boot["capture"], group["groups"][0]);
            check(&name, group, like(boot));
        }
    }
}

fn like(boot: &Value) -> Host {
    let arch = if boot["arch"] == "aarch64" { Arch::Aarch64 } else { Arch::X86_64 };
    let model = IommuModel::WORDS.iter().find(|(word, _)| boot["model"] == *word).expect("a model").1;
    let mut host = host(arch, model, text(&boot["kernel"]));
    host.kernel.page_size = PageSize::from_bytes(number(&boot["page_size"])).expect("a page size");
    if let Some(bits) = boot["aperture_bits"].as_u64() {
        host.iommus[0].aperture = Span::of(0, (1 << bits) - 1);
    }
    match boot["doorbell"].as_str() {
        Some("its") => with_doorbell(host, DoorbellSource::Its, 0x809_0040, (0x808_0000, 0x809_ffff)),
        Some("gicv2m") => with_doorbell(host, DoorbellSource::GicV2m, 0x802_0040, (0x802_0000, 0x802_0fff)),
        _ => host,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn number(value: &Value) -> u64 {
    parse_number(text(value)).expect("a number")
}

fn spans(ranges: &Value) -> Vec<(u64, u64)> {
    list(ranges).iter().map(|range| (number(&range[0]), number(&range[1]))).collect()
}

fn ends<A: planner_core::addr::Address>(spans: &[Span<A>]) -> Vec<(u64, u64)> {
    spans.iter().map(|span| (span.first().get(), span.last().get())).collect()
}

fn answer(host: &Host) -> GroupReport {
    report(host, &Question::default()).groups.remove(0)
}

#[test]
fn usable_ranges_are_those_of_booted_kernels() {
    let (mut type1, mut iommufd) = (0, 0);
    each_group(|name, group, host| {
        let mut host = with_listing(host, text(&group["listed"]));
        let expected = &group["type1"];
        if !expected["ranges"].is_null() {
            let got = answer(&host).type1;
            assert_eq!(ends(&got.usable), spans(&expected["ranges"]), "{name}");
            assert_eq!(got.page_sizes.bitmap(), number(&expected["page_sizes"]), "{name}");
            type1 += 1;
        }
        let expected = &group["iommufd"];
        if !expected["ranges"].is_null() {
            host.kernel.unsafe_interrupts = Some(true);
            let IommufdAnswer::Usable { usable, alignment } = answer(&host).iommufd else {
                panic!("{name}: iommufd is refused");
            };
            assert_eq!(ends(&usable), spans(&expected["ranges"]), "{name}");
            assert_eq!(alignment.bytes(), number(&expected["alignment"]), "{name}");
            iommufd += 1;
        }
    });
    assert!(type1 >= 50 && iommufd >= 9, "{type1} and {iommufd} groups");
}

#[test]
fn refusals_are_those_of_booted_kernels() {
    let (mut refused, mut taken) = (0, 0);
    each_group(|name, group, host| {
        let listed = answer(&with_listing(host, text(&group["listed"])));
        let rules: Vec<&str> =
            listed.blockers.iter().chain(&listed.notes).map(|finding| finding.rule).collect();
        let type1 = &group["type1"];
        let expected: &[&str] = match (type1["set_container"].as_str(), type1["set_iommu"].as_str()) {
            (Some("EINVAL"), _) => &["K-DIRECTBLOCK"],
            // Which of them depends on how much the facts say.
            (_, Some("EPERM")) => &["K-ISOGROUP", "K-ISOANY", "K-INTREMAP", "K-UNKNOWNBELL"],
            _ => &[],
        };
        if expected.is_empty() {
            taken += 1;
            let refusals: Vec<&str> =
                listed.blockers.iter().map(|b| b.rule).filter(|rule| *rule != "K-NOCOOKIE").collect();
            assert!(refusals.is_empty(), "{name}: {refusals:?}");
        } else {
            refused += 1;
            assert!(rules.iter().any(|rule| expected.contains(rule)), "{name}: {rules:?}");
        }
    });
    assert!(refused >= 20 && taken >= 35, "{refused} refused, {taken} taken");
}

#[test]
fn msis_go_where_booted_kernels_sent_them() {
    let (mut placed, mut failed) = (0, 0);
    each_group(|name, group, host| {
        let arm = host.arch == Arch::Aarch64;
        let listed = answer(&with_listing(host, text(&group["listed"])));
        let msix = &group["type1"]["msix"];
        let no_cookie = listed.blockers.iter().any(|finding| finding.rule == "K-NOCOOKIE");
        if msix.is_null() {
            return;
        }
        assert_eq!(no_cookie, msix["rc"] == "ENOSPC", "{name}");
        failed += usize::from(no_cookie);
        if let (true, Some(window), false) = (arm, &listed.msi, msix["address"].is_null()) {
            let iovas: Vec<u64> =
                window.doorbells.iter().map(|bell| planner_core::addr::Address::get(bell.iova)).collect();
            assert_eq!(iovas, [number(&msix["address"])], "{name}");
            placed += 1;
        }
    });
    assert!(placed >= 25 && failed >= 2, "{placed} placed, {failed} failed");
}

#[test]
fn regions_without_firmware_are_predicted_to_the_letter() {
    let mut predicted = 0;
    each_group(|name, group, host| {
        let expected = text(&group["listed"]);
        let virtio = host.iommus[0].model == IommuModel::VirtioIommu;
        let amd = host.iommus[0].model == IommuModel::AmdVi;
        if virtio || expected.contains("direct") || !amd && expected.contains("reserved") {
            return;
        }
        assert_eq!(sysfs_text_of(&host, GroupId(0)).as_deref(), Some(expected), "{name}");
        predicted += 1;
    });
    assert!(predicted >= 40, "{predicted} groups");
}
