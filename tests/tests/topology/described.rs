//! Described hosts, one oddity each: the groups that Linux would form, the IDs, and what is said.

use expect_test::{Expect, expect};

use super::{group_lines, resolved};

/// A host on Linux 6.12 behind an SMMU of this model, with these devices.
fn host(kernel: &str, model: &str, devices: &str) -> String {
    format!(
        "host test {{
    arch aarch64
    kernel linux {kernel} {{ page 4K }}
    its its0 {{ frame 0x808_0000 + 128K }}
    smmu smmu0 {{ model {model} }}
    root-complex pcie0 {{
        smmu smmu0 {{ rid 0x0..=0xffff -> stream 0x1_0000 }}
        msi its0 {{ rid 0x0..=0xffff -> device-id 0x2_0000 }}
{devices}
    }}
}}"
    )
}

fn check_on(kernel: &str, model: &str, devices: &str, expected: &Expect) {
    let (host, told) = resolved(&host(kernel, model, devices));
    expected.assert_eq(&(group_lines(&host) + &told));
}

/// Compares the groups, and what is said.
fn check(devices: &str, expected: &Expect) {
    check_on("6.12", "smmuv3", devices, expected);
}

const SWITCH: &str = "device 00:01.0 { type root-port buses 0x01..=0x04 acs 0x5f }
    device 01:00.0 { type upstream-port buses 0x02..=0x04 }
    device 02:00.0 { type downstream-port buses 0x03..=0x03 ACS }
    device 02:01.0 { type downstream-port buses 0x04..=0x04 acs 0x5f control 0x1d }
    device 03:00.0 { type endpoint }
    device 04:00.0 { type endpoint }";

#[test]
fn a_plain_description_keeps_devices_apart() {
    check(
        "device 01:00.0 { class 0200 }  device 01:00.1 { class 0200 }",
        &expect![[r#"
            0: 0000:01:00.0
            1: 0000:01:00.1
        "#]],
    );
}

#[test]
fn ports_of_a_switch_isolate_with_acs() {
    check(
        &SWITCH.replace("ACS", "acs 0x5f"),
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:01:00.0
            2: 0000:02:00.0
            3: 0000:02:01.0
            4: 0000:03:00.0
            5: 0000:04:00.0
        "#]],
    );
}

#[test]
fn a_port_without_acs_takes_what_is_below_it() {
    check(
        &SWITCH.replace("ACS", "acs 0x0"),
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:01:00.0
            2: 0000:02:00.0 0000:03:00.0
            3: 0000:02:01.0
            4: 0000:04:00.0
        "#]],
    );
}

#[test]
fn a_root_port_without_acs_takes_the_whole_switch() {
    check(
        &SWITCH.replace("ACS", "acs 0x5f").replacen("acs 0x5f", "acs 0x5f control 0x0", 1),
        &expect![[r#"
            0: 0000:00:01.0 0000:01:00.0 0000:02:00.0 0000:02:01.0 0000:03:00.0 0000:04:00.0
        "#]],
    );
}

#[test]
fn what_the_capability_does_not_offer_is_not_asked_for() {
    check(
        &SWITCH.replace("ACS", "acs 0x4 control 0x4"),
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:01:00.0
            2: 0000:02:00.0
            3: 0000:02:01.0
            4: 0000:03:00.0
            5: 0000:04:00.0
        "#]],
    );
}

#[test]
fn functions_of_a_device_without_acs_are_one_group() {
    let functions = "device 00:01.0 { type root-port buses 0x01..=0x01 acs 0x5f }
        device 01:00.0 { ID type endpoint multifunction acs 0x0 }
        device 01:00.1 { ID type endpoint multifunction acs 0x0 }
        device 01:00.2 { type endpoint multifunction acs 0x5f control 0x1d }";
    check(
        &functions.replace("ID", "id 10de:1b80"),
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:01:00.0 0000:01:00.1
            2: 0000:01:00.2
        "#]],
    );
    // Intel says of the I350 that its functions are no peers (`pci_dev_acs_enabled`).
    check(
        &functions.replace("ID", "id 8086:1521"),
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:01:00.0
            2: 0000:01:00.1
            3: 0000:01:00.2
        "#]],
    );
}

#[test]
fn integrated_endpoints_of_intel_are_apart_and_others_are_not() {
    let endpoints = "device 00:14.0 { id VENDOR:9ded type rc-endpoint multifunction acs 0x0 }
        device 00:14.3 { id VENDOR:9df0 type rc-endpoint multifunction acs 0x0 }";
    check(
        &endpoints.replace("VENDOR", "8086"),
        &expect![[r#"
            0: 0000:00:14.0
            1: 0000:00:14.3
        "#]],
    );
    check(
        &endpoints.replace("VENDOR", "1022"),
        &expect![[r#"
            0: 0000:00:14.0 0000:00:14.3
        "#]],
    );
}

#[test]
fn what_is_below_a_conventional_bridge_joins_it() {
    check(
        "device 00:1e.0 { type conventional buses 0x05..=0x06 }
         device 05:01.0 { type conventional }
         device 05:02.0 { type conventional buses 0x06..=0x06 }
         device 06:00.0 { type conventional }",
        &expect![[r#"
            0: 0000:00:1e.0 0000:05:01.0 0000:05:02.0 0000:06:00.0
        "#]],
    );
}

#[test]
fn virtual_functions_on_another_bus_have_groups_of_their_own() {
    let devices = "device 00:01.0 { type root-port buses 0x01..=0x02 acs 0x5f CONTROL }
        device 01:00.0 { type endpoint multifunction acs 0x5f sriov total 4 enabled 2 vfs offset 0x100 stride 0x1 }
        device 02:00.0 { type endpoint vf-of 01:00.0 }
        device 02:00.1 { type endpoint vf-of 01:00.0 }";
    check(
        &devices.replace("CONTROL", "control 0x1d"),
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:01:00.0
            2: 0000:02:00.0
            3: 0000:02:00.1
        "#]],
    );
    check(
        &devices.replace("CONTROL", "control 0x1"),
        &expect![[r#"
            0: 0000:00:01.0 0000:01:00.0 0000:02:00.0 0000:02:00.1
        "#]],
    );
}

#[test]
fn a_device_that_sends_as_another_function_joins_it() {
    check(
        "device 00:01.0 { id 1b4b:9123 type endpoint }
         device 00:01.1 { type endpoint }
         device 00:02.0 { id 1b4b:9123 type endpoint }",
        &expect![[r#"
            0: 0000:00:01.0 0000:00:01.1
            1: 0000:00:02.0
        "#]],
    );
}

const BEHIND_PCI: &str = "device 00:01.0 { type root-port buses 0x04..=0x05 acs 0x5f }
    device 04:00.0 { type pcie-to-pci-bridge buses 0x05..=0x05 }
    device 05:01.0 { type conventional }
    device 05:02.0 { type conventional }
    device 00:06.0 { type rc-endpoint }";

#[test]
fn a_new_smmuv3_driver_takes_one_device_behind_a_bridge_to_pci() {
    check_on(
        "6.12",
        "smmuv3",
        BEHIND_PCI,
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:00:06.0
            2: 0000:04:00.0 0000:05:01.0 0000:05:02.0
        "#]],
    );
    check_on(
        "7.3",
        "smmuv3",
        BEHIND_PCI,
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:00:06.0
            2: 0000:04:00.0 0000:05:01.0
        "#]],
    );
}

#[test]
fn virtio_iommu_takes_none_and_new_kernels_then_form_no_groups() {
    check_on(
        "6.12",
        "virtio-iommu",
        BEHIND_PCI,
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:00:06.0
            2: 0000:04:00.0
        "#]],
    );
    check_on("7.3", "virtio-iommu", BEHIND_PCI, &expect![[""]]);
}

#[test]
fn devices_of_one_stream_id_are_one_group_of_an_smmuv2() {
    let text = host("6.12", "mmu-401", "device 01:00.0  device 02:00.0")
        .replace("-> stream 0x1_0000", "-> stream 0x1_0000 shared");
    let (host, told) = resolved(&text);
    expect![[r#"
        0: 0000:01:00.0 0000:02:00.0
    "#]]
    .assert_eq(&(group_lines(&host) + &told));
}

#[test]
fn ids_are_those_of_the_bridge_to_pci() {
    let (host, _) = resolved(&host("6.12", "smmuv3", BEHIND_PCI));
    let line = |device: &planner_core::host::Device| {
        let stream = device.translation.as_ref().and_then(|translation| translation.stream);
        let target = device.msi_target.as_ref();
        let doorbell = target.and_then(|target| host.doorbells.get(target.doorbell)).map(|bell| bell.address);
        let id = target.and_then(|target| target.device_id);
        format!(
            "{} stream {} device {} doorbell {}\n",
            device.address,
            stream.unwrap(),
            id.unwrap(),
            doorbell.unwrap()
        )
    };
    expect![[r#"
        0000:00:01.0 stream 0x10008 device 0x20008 doorbell 0x809_0040
        0000:00:06.0 stream 0x10030 device 0x20030 doorbell 0x809_0040
        0000:04:00.0 stream 0x10400 device 0x20400 doorbell 0x809_0040
        0000:05:01.0 stream 0x10500 device 0x20500 doorbell 0x809_0040
        0000:05:02.0 stream 0x10500 device 0x20500 doorbell 0x809_0040
    "#]]
    .assert_eq(&host.devices.iter().map(line).collect::<String>());
}

#[test]
fn bridges_that_cannot_be_are_told() {
    check(
        "device 00:01.0 { type root-port buses 0x01..=0x03 acs 0x5f }
         device 00:02.0 { type root-port buses 0x01..=0x01 acs 0x5f }
         device 01:00.0 { type upstream-port buses 0x01..=0x03 }
         device 02:00.0 { type downstream-port buses 0x01..=0x01 acs 0x5f }
         device 03:00.0 { type endpoint }
         device 09:00.0 { type endpoint }",
        &expect![[r#"
            0: 0000:00:01.0
            1: 0000:00:02.0
            2: 0000:01:00.0
            3: 0000:02:00.0
            4: 0000:03:00.0
            5: 0000:09:00.0
            warning[H021] test.host:10: 0000:00:01.0 and 0000:00:02.0 both lead to bus 0x01
                test.host:9: this bridge is believed
            warning[H020] test.host:11: the bridge 0000:01:00.0 on bus 0x01 leads to buses 0x01..=0x03, which are not below it
            warning[H020] test.host:12: the bridge 0000:02:00.0 on bus 0x02 leads to buses 0x01..=0x01, which are not below it
            note[H022] test.host:12: no bridge leads to bus 0x02 of 0000:02:00.0: it is somewhere below 0000:00:01.0
            note[H022] test.host:13: no bridge leads to bus 0x03 of 0000:03:00.0: it is somewhere below 0000:00:01.0
            note[H022] test.host:14: no bridge leads to bus 0x09 of 0000:09:00.0: it is somewhere below its root complex
        "#]],
    );
}

#[test]
fn listed_groups_win_and_contradictions_are_told() {
    let text = host("7.3", "smmuv3", &format!("{BEHIND_PCI}\n    device 00:07.0 {{ type rc-endpoint }}"));
    let end = text.rfind('}').unwrap();
    let text = format!(
        "{}    group 0 {{ devices 0000:04:00.0 }}
    group 1 {{ devices 0000:05:01.0 }}
    group 2 {{ devices 0000:05:02.0 }}
    group 3 {{ devices 0000:00:06.0 0000:00:07.0 }}
}}",
        &text[..end]
    );
    let (host, told) = resolved(&text);
    expect![[r#"
        0: 0000:04:00.0
        1: 0000:05:01.0
        2: 0000:05:02.0
        3: 0000:00:06.0 0000:00:07.0
        warning[H023] test.host:17: groups 0, 1 are listed apart, where Linux would form one: 0000:05:01.0 joins 0000:04:00.0: its DMA arrives under the bridge's requester ID 0x500
            test.host:10: what the reason was read from
        warning[H024] test.host:19: group 3 holds 0000:00:06.0 and 0000:00:07.0, which Linux would keep apart: every port between them isolates
            test.host:14: this function
        warning[H025] test.host:18: 0000:05:02.0 is in group 2, where Linux would give it none: the SMMU knows 0000:05:01.0 by the same stream ID
    "#]]
    .assert_eq(&(group_lines(&host) + &told));
}
