//! `planner vmm`.

use expect_test::expect;

use crate::{check, run};

#[test]
fn the_memory_map_that_qemu_makes() {
    check(
        "vmm qemu=11.1 --machine virt,gic-version=3 --cpu neoverse-n1 --vcpus 8 --memory 1G",
        expect![[r#"
        qemu 11.1 virt with 1 GiB
          0x0..=0x7ff_ffff                 128 MiB     flash        flash
          0x800_0000..=0x800_ffff          64 KiB      gicd         gic-dist
          0x808_0000..=0x809_ffff          128 KiB     its          gic-its
          0x80a_0000..=0x8ff_ffff          15744 KiB   gicr         gic-redist
          0x900_0000..=0x900_0fff          4 KiB       platform     uart0
          0x901_0000..=0x901_0fff          4 KiB       platform     rtc
          0x902_0000..=0x902_0017          24 bytes    platform     fw-cfg
          0x903_0000..=0x903_0fff          4 KiB       platform     gpio
          0x904_0000..=0x904_0fff          4 KiB       platform     uart1
          0x907_0000..=0x907_0017          24 bytes    platform     pcdimm-acpi
          0x908_0000..=0x908_0003          4 bytes     platform     acpi-ged
          0x909_0000..=0x909_0003          4 bytes     platform     nvdimm-acpi
          0x90a_0000..=0x90a_ffff          64 KiB      platform     pvtime
          0xa00_0000..=0xa00_3fff          16 KiB      virtio-mmio  virtio-mmio
          0xc00_0000..=0xdff_ffff          32 MiB      platform     platform-bus
          0x1000_0000..=0x3efe_ffff        769984 KiB  mmio32       pcie-mmio
          0x3eff_0000..=0x3eff_ffff        64 KiB      pio          pcie-pio
          0x4000_0000..=0x7fff_ffff        1 GiB       ram          mem
          0x40_1000_0000..=0x40_1fff_ffff  256 MiB     ecam         pcie-ecam-high
          0x80_0000_0000..=0xff_ffff_ffff  512 GiB     mmio64       pcie-mmio-high
        --- exit 0
    "#]],
    );
}

#[test]
fn a_memory_map_in_json() {
    let run =
        run(&["vmm", "qemu=11.1", "--machine", "virt", "--cpu", "cortex-a57", "--memory", "1G", "--json"]);
    let start = "{\n  \"schema\": \"vmm-map/1\",\n  \"vmm\": {\n    \"name\": \"qemu\",\n    \"version\": \"11.1\",\n    \
                 \"machine\": \"virt\"\n  },\n  \"regions\": [\n";
    assert!(
        run.stdout.starts_with(start) && run.stdout.ends_with("  \"error\": null\n}\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_refusal_in_the_words_of_the_vmm() {
    check(
        "vmm qemu=11.1 --machine virtt",
        expect![[r#"
        qemu 11.1 virtt refuses: [M-QEMU-MACHINE]
        qemu-system-aarch64: unsupported machine type: "virtt"
        --- exit 1
    "#]],
    );
    check(
        "vmm qemu=11.1 --machine virt --cpu cortex-a999 --json",
        expect![[r#"
        {
          "schema": "vmm-map/1",
          "vmm": {
            "name": "qemu",
            "version": "11.1",
            "machine": "virt"
          },
          "regions": [],
          "disabled": [],
          "error": "qemu-system-aarch64: unable to find CPU model 'cortex-a999'",
          "rule": "M-QEMU-CPU"
        }
        --- exit 1
    "#]],
    );
}

#[test]
fn what_a_version_can_express() {
    check(
        "vmm kvmtool --arch aarch64",
        expect![[r#"
            kvmtool 2024.7 for aarch64 (known since 0.0)
              can         pass host devices through, start RAM elsewhere
              takes care  dies when anything overlaps a reserved region
              options     --mem SIZE@ADDR, --irqchip
              viommu      none
            --- exit 0
        "#]],
    );
    let old = run(&["vmm", "qemu=8.2", "--arch", "aarch64"]).stdout;
    assert!(old.contains("qemu 8.2 virt") && !old.contains("use iommufd"), "{old}");
}

#[test]
fn words_that_are_no_vmm() {
    check(
        "vmm xen",
        expect![[r#"
            --- stderr
            error[A001]: VMM: found `xen`, expected one of qemu, kvmtool, crosvm, cloud-hypervisor, firecracker, openvmm, custom, perhaps with a version as in qemu=11.1
            --> VMM xen

            --- exit 2
        "#]],
    );
    check(
        "vmm qemu=eleven",
        expect![[r#"
        --- stderr
        error[A001]: VMM: found `eleven`, expected a version such as 6.12 or 6.1.192
        --> VMM qemu=eleven

        --- exit 2
    "#]],
    );
    check(
        "vmm kvmtool --vcpus 2",
        expect![[r#"
        --- stderr
        error[A001]: --memory: found nothing, expected a size: what kvmtool does without depends on its host
        --> --memory
         = help: say for instance `--memory 1G`

        --- exit 2
    "#]],
    );
}
