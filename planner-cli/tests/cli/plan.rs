//! `planner plan` and `planner emit`: verdicts, flags, faults.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::expect;

use crate::{check, command, data, finish, run};

/// A plan without its picture, which is the map's own business.
fn around_the_picture(line: &str) -> String {
    let arguments: Vec<&str> = line.split(' ').collect();
    let told = run(&arguments).told();
    let (above, rest) = told.split_once("\n\n").expect("a picture follows the summary");
    let (picture, below) = rest.split_once("\n\nRAM\n").expect("a plan tells where its RAM lies");
    assert!(picture.contains("PCI bus") && picture.contains("ram0"), "{picture}");
    format!("{above}\n\nRAM\n{below}")
}

#[test]
fn a_guest_that_fits() {
    expect![[r#"
        fits: `nic` on kvmtool 2024.7
        4 GiB of RAM in one piece on host `board` (Linux 6.12, 4K pages), with
        0000:01:00.0. The guest needs 33 bits of guest-physical address. The
        kernel maps MSI doorbells at 0x800_0000..=0x80f_ffff, 1 of 256 pages are
        taken.

        RAM
          ram0  0x8000_0000..=0x1_7fff_ffff  4 GiB  where the VMM puts it

        kvmtool.sh
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name nic \
          -c 2 \
          -m 4096M \
          --vfio-pci 0000:01:00.0 \
          -k Image
        --- exit 0
    "#]]
    .assert_eq(&around_the_picture("plan board.host nic.guest --width 72"));
}

#[test]
fn room_for_more_memory_and_a_hazard_that_is_tolerated() {
    expect![[r#"
        fits: `virt` on qemu 11.1 virt-11.1
        2 GiB of RAM in one piece on host `board` (Linux 6.12, 4K pages), with
        0000:01:00.0. The guest needs 40 bits of guest-physical address. The kernel maps
        MSI doorbells at 0x800_0000..=0x80f_ffff, 1 of 256 pages are taken.

        RAM
          ram0  0x4000_0000..=0xbfff_ffff  2 GiB  where the VMM puts it

        options
          -m 2G,slots=2,maxmem=4G
              0xc000_0000..=0x1_3fff_ffff is room for memory plugged in later
          -drive if=pflash,format=raw,unit=0,readonly=on,file=AAVMF_CODE.fd
              the guest learns of its memory modules, PCIe expander bridges and SMMUs
              from ACPI tables, which need UEFI firmware

        warnings
          - ram0 at 0x4000_0000..=0xbfff_ffff lies in it: DMA into window mem32
            0x4000_0000..=0x7fff_ffff of root complex pcie0 is taken as peer to peer
            before the IOMMU sees it [H-P2PWIN]
          - RAM at 0x5000_0000..=0x7fff_ffff lies in hazards: a guest that boots with
            ACPI cannot be told to leave it unused: plan again with --hazards strict
            [P-GUESTRAM]
          - 0x4000_0000..=0x4fff_ffff of RAM lies in a hazard too, and cannot be left
            unused: it is in a memory module, or within the first 256 MiB of RAM, where
            the guest's kernel is loaded [P-GUESTRAM]

        qemu.args
        # Made for QEMU 11.1. Add what the guest boots from, its disks and its networks.
        # AAVMF_CODE.fd and AAVMF_VARS.fd stand for UEFI firmware and a copy of its variables (Debian: qemu-efi-aarch64).
        # Memory plugged in later belongs to 0xc000_0000..=0x1_3fff_ffff: device_add pc-dimm,memdev=ID,addr=0xc0000000
        qemu-system-aarch64 \
          -name guest=virt \
          -machine virt-11.1 \
          -accel kvm \
          -cpu host \
          -smp 2 \
          -m 2G,slots=2,maxmem=4G \
          -object memory-backend-ram,id=ram0,size=2G \
          -numa node,nodeid=0,memdev=ram0 \
          -drive if=pflash,format=raw,unit=0,readonly=on,file=AAVMF_CODE.fd \
          -drive if=pflash,format=raw,unit=1,file=AAVMF_VARS.fd \
          -nodefaults \
          -display none \
          -serial mon:stdio \
          -device pcie-root-port,id=rp0,bus=pcie.0,chassis=1 \
          -device vfio-pci,host=0000:01:00.0,bus=rp0
        --- exit 0
    "#]].assert_eq(&around_the_picture("plan board.host virt.guest --machine virt --hazards relaxed --memory 2G,maxmem=4G,slots=2"));
}

#[test]
fn a_guest_that_fits_with_options() {
    expect![[r#"
        fits with options: `elsewhere` on kvmtool 2024.7
        4 GiB of RAM in one piece on host `board` (Linux 6.12, 4K pages), with 0000:01:00.0. The guest needs
        33 bits of guest-physical address. The kernel maps MSI doorbells at 0x800_0000..=0x80f_ffff, 1 of
        256 pages are taken.

        RAM
          ram0  0xc000_0000..=0x1_bfff_ffff  4 GiB  placed by the planner
          because the guest is told to avoid 0x8000_0000..=0xbfff_ffff [P-AVOID]

        options
          -m 4096M@3072M
              memory starts at 0xc000_0000

        kvmtool.sh
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name elsewhere \
          -c 2 \
          -m 4096M@3072M \
          --vfio-pci 0000:01:00.0 \
          -k Image
        --- exit 0
    "#]]
    .assert_eq(&around_the_picture("plan board.host elsewhere.guest --width 100"));
}

#[test]
fn no_layout_has_causes_and_a_way_out() {
    check(
        "plan board.host virt.guest",
        expect![[r#"
            no layout: 4 GiB of RAM for `virt` on qemu 11.1 virt
              because DMA into window mem32 0x4000_0000..=0x7fff_ffff of root complex pcie0 is taken as peer to
                      peer before the IOMMU sees it [H-P2PWIN, board.host:17]
              because qemu 11.1 virt starts RAM at 0x4000_0000 and cannot move it [M-QEMU-VIRT-RAM]
              the largest hole for RAM is 0x8000_0000..=0xfff_ffff_ffff (16382 GiB)
            help: use crosvm
            help: use kvmtool
            --- exit 1
        "#]],
    );
}

#[test]
fn a_guest_by_flags_alone() {
    check(
        "plan board.host --memory 4G --vcpus 2 --pass 02:00.0 --vmm kvmtool --emit kvmtool",
        expect![[r#"
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name guest \
          -c 2 \
          -m 4096M \
          --vfio-pci 0000:02:00.0 \
          -k Image
        --- exit 0
    "#]],
    );
}

#[test]
fn flags_override_the_description() {
    check(
        "plan board.host nic.guest --memory 6G --vcpus 3 --pass 0000:02:00.0 --emit kvmtool",
        expect![[r#"
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name nic \
          -c 3 \
          -m 6144M \
          --vfio-pci 0000:02:00.0 \
          -k Image
        --- exit 0
    "#]],
    );
}

#[test]
fn everything_wrong_with_flags_is_told_at_once() {
    check(
        "plan board.host --memory 16Q --vcpus 0 --pass 1:2 --page 3K --vmm bhyve --numa 1G,cpu=1 --ipa-bits 99 \
         --kernel 6 --kernel-page 5K",
        expect![[r#"
            --- stderr
            error[A001]: --memory: found `16Q`, expected a size such as 16G, 2M or 0x4000_0000
            --> --memory 16Q

            error[A001]: --page: found `3K`, expected a page size such as 4K, 64K, 2M or 1G
            --> --page 3K

            error[A001]: --vmm: found `bhyve`, expected one of qemu, kvmtool, crosvm, cloud-hypervisor, firecracker, openvmm, xen, custom, perhaps with a version as in qemu=11.1
            --> --vmm bhyve

            error[A001]: --vcpus: found `0`, expected a number of at least 1
            --> --vcpus 0

            error[A001]: --ipa-bits: found `99`, expected a number of address bits from 32 to 64
            --> --ipa-bits 99

            error[A001]: --pass: found `1:2`, expected a PCI address such as 0000:03:00.0
            --> --pass 1:2

            error[A001]: --numa: found `cpu=1`, expected cpus=FIRST-LAST or host-node=N
            --> --numa 1G,cpu=1

            error[A001]: --kernel: found `6`, expected a version such as 6.12 or 6.1.192
            --> --kernel 6

            error[A001]: --kernel-page: found `5K`, expected a page size such as 4K, 64K, 2M or 1G
            --> --kernel-page 5K

            --- exit 2
        "#]],
    );
}

#[test]
fn memory_beyond_its_maximum() {
    check(
        "plan board.host --memory 16G,maxmem=8G",
        expect![[r#"
        --- stderr
        error[A001]: --memory: found `8G`, expected a maxmem of at least 16G
        --> --memory 16G,maxmem=8G

        --- exit 2
    "#]],
    );
}

#[test]
fn a_description_with_a_fault() {
    check(
        "plan broken.host nic.guest",
        expect![[r#"
        --- stderr
        error[L010]: `six` is not a version such as `6.12` or `6.1.192`
         --> broken.host:2:18
          |
        2 |     kernel linux six { page 4K }
          |                  ^^^
          |
          = help: its form is `kernel linux VERSION [{ … }]`

        --- exit 2
    "#]],
    );
}

#[test]
fn faults_of_spelling_and_of_sense_in_both_texts_are_told_in_one_run() {
    check(
        "plan both-broken.host broken.guest",
        expect![[r#"
        --- stderr
        error[L010]: `six` is not a version such as `6.12` or `6.1.192`
         --> both-broken.host:2:18
          |
        2 |     kernel linux six
          |                  ^^^
          |
          = help: its form is `kernel linux VERSION [{ … }]`

        error[H001]: there is no smmu named `smmu1`
         --> both-broken.host:4:26
          |
        4 |     root-complex pcie0 { smmu smmu1 }
          |                          ^^^^^^^^^^ not defined in this host
          |
          = help: defined are: smmu0

        error[L010]: `4Q` is not a size such as `16G`
         --> broken.guest:3:12
          |
        3 |     memory 4Q
          |            ^^
          |
          = help: its form is `memory SIZE [{ … }]`

        --- exit 2
    "#]],
    );
}

#[test]
fn a_host_that_is_not_there() {
    check(
        "plan nowhere.host nic.guest",
        expect![[r#"
        --- stderr
        error[C010]: `nowhere.host` does not exist
        --> nowhere.host
         = help: `live` reads this machine

        --- exit 2
    "#]],
    );
}

#[test]
fn a_device_that_the_host_has_not() {
    check(
        "plan board.host nic.guest --pass 0000:03:00.0",
        expect![[r#"
        --- stderr
        error[G003]: there is no function 0000:03:00.0 on `board`
        --> --pass 0000:03:00.0
         = help: there are: 0000:01:00.0, 0000:02:00.0

        --- exit 2
    "#]],
    );
}

#[test]
fn standard_input_is_read_once() {
    let mut planner = command(&["plan", "-", "-"]);
    let host = std::fs::File::open(data("board.host")).unwrap();
    expect![[r#"
        --- stderr
        error[A002]: standard input is read for two things
        --> -

        --- exit 2
    "#]]
    .assert_eq(&finish(planner.stdin(host)).told());
}

#[test]
fn a_host_from_standard_input() {
    let mut planner = command(&["plan", "-", "nic.guest", "--emit", "kvmtool"]);
    let mut planner = planner.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    planner.stdin.take().unwrap().write_all(&std::fs::read(data("board.host")).unwrap()).unwrap();
    let output = planner.wait_with_output().unwrap();
    assert_eq!(
        output.stdout,
        run(&["plan", "board.host", "nic.guest", "--emit", "kvmtool"]).stdout.as_bytes()
    );
}

#[test]
fn json_names_its_schema_and_verdict() {
    let fits = run(&["plan", "board.host", "nic.guest", "--json"]);
    assert!(
        fits.stdout.starts_with("{\n  \"schema\": \"plan/1\",\n  \"verdict\": \"fits\",\n"),
        "{}",
        fits.stdout
    );
    assert_eq!((fits.status, fits.stderr.as_str()), (0, ""));
    let refused = run(&["plan", "board.host", "virt.guest", "--format", "json"]);
    assert!(refused.stdout.starts_with("{\n  \"schema\": \"plan/1\",\n  \"verdict\": \"impossible\",\n"));
    assert_eq!((refused.status, refused.stderr.as_str()), (1, ""));
}

#[test]
fn a_target_that_cannot_express_the_plan() {
    check(
        "plan board.host nic.guest --emit libvirt",
        expect![[r#"
        --- stderr
        error[E001]: the plan was made for kvmtool 2024.7
        --> --emit libvirt
         = help: plan again with --vmm qemu

        --- exit 1
    "#]],
    );
}

#[test]
fn a_domain_for_a_libvirt() {
    let guest = "--memory 512M --pass 02:00.0 --vmm qemu=11.1 --machine virt --viommu virtio";
    check(
        &format!("plan board.host {guest} --hazards ignore --emit libvirt=9.0"),
        expect![[r#"
        <domain type="kvm">
          <!-- Made for QEMU 11.1. Add what the guest boots from, its disks and its networks. -->
          <!-- Written for libvirt 9.0. -->
          <name>guest</name>
          <memory unit="KiB">524288</memory>
          <vcpu placement="static">1</vcpu>
          <os firmware="efi">
            <type arch="aarch64" machine="virt-11.1">hvm</type>
          </os>
          <features>
            <acpi/>
          </features>
          <cpu mode="host-passthrough"/>
          <devices>
            <hostdev mode="subsystem" type="pci" managed="yes">
              <source>
                <address domain="0x0000" bus="0x02" slot="0x00" function="0x0"/>
              </source>
            </hostdev>
            <iommu model="virtio"/>
          </devices>
        </domain>
        --- exit 0
    "#]],
    );
    check(
        &format!("plan board.host {guest} --hazards ignore --emit libvirt=8.0"),
        expect![[r#"
        --- stderr
        error[E001]: libvirt 8.0 has no virtio-iommu, which came with libvirt 8.3
        --> --emit libvirt=8.0
         = help: emit for libvirt=8.3 or newer, or for qemu

        --- exit 1
    "#]],
    );
    check(
        &format!("plan board.host {guest} --emit libvirt=nine"),
        expect![[r#"
            --- stderr
            error: invalid value 'libvirt=nine' for '--emit <TARGET>'
              [possible values: qemu, qemu-readconfig, libvirt, kvmtool, crosvm, cloud-hypervisor, cloud-hypervisor-api, firecracker, openvmm, xen, xen-dom0less, custom, guest-dt, guest-iort]

              tip: a similar value exists: 'libvirt'

            For more information, try '--help'.
            --- exit 2
        "#]],
    );
}

#[test]
fn no_configuration_without_a_layout() {
    let run = run(&["plan", "board.host", "virt.guest", "--emit", "qemu"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.starts_with("no layout: 4 GiB of RAM"), "{}", run.stderr);
}

#[test]
fn emit_takes_what_plan_prints() {
    let planned = run(&["plan", "board.host", "nic.guest", "--json"]).stdout;
    let mut emit = command(&["emit", "-"]);
    let mut emit = emit.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    emit.stdin.take().unwrap().write_all(planned.as_bytes()).unwrap();
    let emitted = String::from_utf8(emit.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(emitted, run(&["plan", "board.host", "nic.guest", "--emit", "kvmtool"]).stdout);
}

#[test]
fn emit_of_something_else() {
    check(
        "emit nic.guest",
        expect![[r#"
        --- stderr
        error[A003]: `nic.guest` is no plan: expected value at line 1 column 1
         --> nic.guest:1:1
          |
        1 | guest "nic" {
          | ^^^^^^^^^^^^^
          |
          = help: `planner plan HOST GUEST --json` prints one

        --- exit 2
    "#]],
    );
}

#[test]
fn an_existing_configuration_as_it_stands() {
    let told = run(&["plan", "board.host", "existing.sh", "--width", "100"]).told();
    let (judgement, rest) = told.split_once("\n\n").expect("a blank line follows the judgement");
    expect![[r#"
        as it stands: is refused
          because kvmtool refuses the configuration itself [M-KVMTOOL-ARM-LIMIT]
          Fatal: Memory too large for this system (needs 45 bits, 44 available)
        to make it work, use the plan below:"#]]
    .assert_eq(judgement);
    assert!(rest.starts_with("fits: `existing` on kvmtool"), "{rest}");
    let json = run(&["plan", "board.host", "existing.sh", "--json"]).stdout;
    assert!(json.contains("\"as_it_stands\": {\n    \"outlook\": \"refused\""), "{json}");
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let mut planner = command(&["plan", "board.host", "-"]);
    planner.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = planner.spawn().expect("the binary was built");
    let text = b"<domain type='kvm'><memory unit='GiB'>1</memory>\n</domaine>";
    child.stdin.take().expect("piped").write_all(text).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    expect![[r#"
        error[M108]: the XML is not well-formed: ill-formed document: expected `</domain>`, but `</domaine>` was found
         --> -:2:1
          |
        2 | </domaine>
          | ^

    "#]].assert_eq(&String::from_utf8(output.stderr).expect("the talk is UTF-8"));
    assert_eq!(output.status.code(), Some(2));
}
