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
              VMM      guest    version  passes  move RAM  split RAM  MMIO32  MMIO64  BAR room  avoids  hotplug  iommufd  vIOMMU
              kvmtool  aarch64  2024.7   yes     yes       -          -       -       768 MiB   -       -        -        -

            kvmtool 2024.7 for aarch64
              can         pass host devices through, start RAM elsewhere
              takes care  dies when anything overlaps a reserved region
              options     --mem SIZE@ADDR, --irqchip
              viommu      none
            --- exit 0
        "#]],
    );
    check(
        "vmm xen=4.20",
        expect![[r#"
            xen 4.20 dom0less for aarch64 (known since 4.17)
              can         nothing that matters here
              takes care  of nothing by itself
              options     xen,static-mem, direct-map
              viommu      none

            xen 4.20 direct-map for aarch64 (known since 4.17)
              can         start RAM elsewhere, put memory at chosen addresses
              takes care  of nothing by itself
              options     xen,static-mem, direct-map
              viommu      none

            xen 4.20 hvm for x86_64 (known since 4.17)
              can         pass host devices through, move the 32-bit PCI window
              takes care  keeps RAM clear of reserved regions, maps BARs of passed devices into the IOMMU
              options     mmio_hole=, rdm_mem_boundary=, pci=["…,rdm_policy="]
              viommu      none
            --- exit 0
        "#]],
    );
    let old = run(&["vmm", "qemu=8.2", "--arch", "aarch64"]).stdout;
    assert!(old.contains("qemu 8.2 virt") && !old.contains("use iommufd"), "{old}");
}

/// What changed between versions is what the matrix has lines for; `tests/data/vmm-matrix.txt` is to be read.
#[test]
fn the_matrix() {
    expect_test::expect_file!["../data/vmm-matrix.txt"].assert_eq(&run(&["vmm"]).stdout);
}

#[test]
fn a_domain_of_xen() {
    check(
        "vmm xen=4.20 --machine hvm --memory 8G --ipa-bits 39",
        expect![[r#"
        xen 4.20 hvm with 8 GiB
          0x0..=0xefff_ffff               3840 MiB    ram       ram-low
          0xf000_0000..=0xfbff_ffff       192 MiB     mmio32    pci-mem
          0xfc00_0000..=0xfedf_ffff       46 MiB      platform  hvmloader
          0xfee0_0000..=0xfeef_ffff       1 MiB       msi       apic-msi
          0xfef0_0000..=0xffff_ffff       17 MiB      flash     firmware
          0x1_0000_0000..=0x2_0fff_ffff   4352 MiB    ram       ram-high
          0x2_1000_0000..=0x7f_ffff_ffff  515840 MiB  mmio64    pci-hi-mem
        --- exit 0
    "#]],
    );
    check(
        "vmm xen --machine direct-map --memory 1G",
        expect![[r#"
        xen 4.21 direct-map with 1 GiB
          0x4000_0000..=0x7fff_ffff  1 GiB  ram  ram0
        --- exit 0
    "#]],
    );
}

#[test]
fn words_that_are_no_vmm() {
    check(
        "vmm bhyve",
        expect![[r#"
            --- stderr
            error[A001]: VMM: found `bhyve`, expected one of qemu, kvmtool, crosvm, cloud-hypervisor, firecracker, openvmm, xen, custom, perhaps with a version as in qemu=11.1
            --> VMM bhyve

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

#[test]
fn the_memory_map_of_a_command_line() {
    let words = "vmm qemu=11.1.3 --json -- qemu-system-aarch64 -M virt -machine gic-version=3 -cpu neoverse-n1 -smp cpus=8 \
                 -m size=4G,maxmem=64G,slots=4 -bios QEMU_EFI.fd -object memory-backend-ram,id=d0,size=12G \
                 -device pc-dimm,id=upper,memdev=d0 -nographic";
    let run = run(&words.split_whitespace().collect::<Vec<_>>());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for region in [
        "\"name\": \"mem\",\n      \"kind\": \"ram\",\n      \"start\": \"0x40000000\",\n      \"end\": \"0x13fffffff\"",
        "\"name\": \"upper\",\n      \"kind\": \"ram\",\n      \"start\": \"0x140000000\",\n      \"end\": \"0x43fffffff\"",
    ] {
        assert!(run.stdout.contains(region), "{}", run.stdout);
    }
}

#[test]
fn a_command_line_that_qemu_refuses() {
    check(
        "vmm qemu=10.0.13 -- /usr/bin/qemu-system-aarch64 -M virt -cpu cortex-a57 -m 4G,maxmem=16G,slots=1 -bios F -object \
         memory-backend-ram,id=d0,size=12G -device pc-dimm,id=dimm0,memdev=d0,addr=0x500000000",
        expect![[r#"
            qemu 10.0.13 virt refuses: [M-QEMU-DIMM]
            qemu-system-aarch64: -device pc-dimm,id=dimm0,memdev=d0,addr=0x500000000: can't add memory device [0x500000000:0x300000000], usable range for memory devices [0x140000000:0x340000000]
            --- exit 1
        "#]],
    );
    check(
        "vmm qemu --json -- qemu-system-x86_64 -smp 4,sockets=3,cores=1",
        expect![[r#"
        {
          "schema": "vmm-map/1",
          "vmm": {
            "name": "qemu",
            "version": "11.1",
            "machine": "pc"
          },
          "regions": [],
          "disabled": [],
          "error": "qemu-system-x86_64: Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (3) * dies (1) * modules (1) * cores (1) * threads (1) != maxcpus (4)",
          "rule": "M-QEMU-SMP"
        }
        --- exit 1
    "#]],
    );
    check(
        "vmm -- qemu-system-aarch64 -M virt -frobnicate",
        expect![[r#"
        qemu 11.1 virt refuses: [M-WORDS]
        qemu-system-aarch64: -frobnicate: invalid option
        --- exit 1
    "#]],
    );
}

#[test]
fn words_of_a_command_that_are_not_understood() {
    check(
        "vmm kvmtool -- lkvm run -m 512M --warp 9 -c 1 --irqchip gicv2",
        expect![[r#"
            kvmtool with 512 MiB
              0x0..=0xffff               64 KiB      pio          ioport
              0x100_0000..=0x100_ffff    64 KiB      platform     uart
              0x101_0000..=0x101_ffff    64 KiB      platform     rtc
              0x102_0000..=0x102_ffff    64 KiB      platform     pvtime
              0x200_0000..=0x2ff_ffff    16 MiB      flash        flash
              0x300_0000..=0x3ffc_ffff   999232 KiB  virtio-mmio  virtio-mmio
              0x3ffd_0000..=0x3ffe_ffff  128 KiB     gicc         gic-cpui
              0x3fff_0000..=0x3fff_ffff  64 KiB      gicd         gic-dist
              0x4000_0000..=0x4fff_ffff  256 MiB     ecam         pci-cfg
              0x5000_0000..=0x7fff_ffff  768 MiB     mmio32       pci-mmio
              0x8000_0000..=0x9fff_ffff  512 MiB     ram          ram
            --- stderr
            warning[M105]: `--warp` is not understood and does not count for the layout
            --> --warp

            --- exit 0
        "#]],
    );
    check(
        "vmm kvmtool -- qemu-system-aarch64 -M virt",
        expect![[r#"
        --- stderr
        error[A001]: VMM: found `kvmtool`, and the command is of qemu
        --> qemu-system-aarch64

        --- exit 2
    "#]],
    );
    check(
        "vmm -- echo qemu",
        expect![[r#"
        --- stderr
        error[M102]: no program of a VMM is among these words
        --> echo

        --- exit 2
    "#]],
    );
}
