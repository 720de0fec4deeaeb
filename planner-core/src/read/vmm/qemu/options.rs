//! QEMU's options by name: which take a value, and which have nothing to do with the memory map (qemu-options.hx).

use crate::version::Version;

/// What an option has to do with the memory map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// It is read.
    Layout,
    /// It leaves the memory map alone.
    Harmless,
    /// It may change anything, and is not read.
    Unread,
}

/// An option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OptionRow {
    /// Whether the next word is its value.
    pub(super) takes_value: bool,
    /// What it has to do with the memory map.
    pub(super) use_: Use,
}

const LAYOUT_WITH_VALUE: &[&str] = &[
    "M",
    "accel",
    "bios",
    "cpu",
    "device",
    "drive",
    "global",
    "m",
    "machine",
    "mem-path",
    "name",
    "numa",
    "object",
    "pflash",
    "readconfig",
    "smp",
];
const LAYOUT_ALONE: &[&str] = &["enable-kvm", "no-acpi"];
const HARMLESS_WITH_VALUE: &[&str] = &[
    "D",
    "L",
    "acpitable",
    "action",
    "add-fd",
    "append",
    "async-teardown",
    "audio",
    "audiodev",
    "blockdev",
    "boot",
    "cdrom",
    "chardev",
    "chroot",
    "compat",
    "d",
    "debugcon",
    "dfilter",
    "display",
    "dtb",
    "dump-vmstate",
    "echr",
    "fda",
    "fdb",
    "fsdev",
    "fw_cfg",
    "g",
    "gdb",
    "hda",
    "hdb",
    "hdc",
    "hdd",
    "icount",
    "incoming",
    "initrd",
    "iscsi",
    "k",
    "kernel",
    "loadvm",
    "mon",
    "monitor",
    "msg",
    "mtdblock",
    "net",
    "netdev",
    "nic",
    "option-rom",
    "overcommit",
    "parallel",
    "perf-map",
    "pidfile",
    "plugin",
    "prom-env",
    "qmp",
    "qmp-pretty",
    "qtest",
    "qtest-log",
    "rotate",
    "rtc",
    "run-with",
    "runas",
    "sandbox",
    "sd",
    "seed",
    "semihosting-config",
    "serial",
    "shim",
    "smbios",
    "spice",
    "tpmdev",
    "trace",
    "usbdevice",
    "uuid",
    "vga",
    "virtfs",
    "vnc",
    "watchdog-action",
];
const HARMLESS_ALONE: &[&str] = &[
    "S",
    "daemonize",
    "enable-sync-profile",
    "full-screen",
    "mem-prealloc",
    "no-fd-bootchk",
    "no-hpet",
    "no-reboot",
    "no-shutdown",
    "no-user-config",
    "nodefaults",
    "nographic",
    "old-param",
    "only-migratable",
    "portrait",
    "preconfig",
    "s",
    "semihosting",
    "singlestep",
    "snapshot",
    "usb",
    "version",
    "win2k-hack",
];
const UNREAD_WITH_VALUE: &[&str] = &["set", "xen-domid"];
const UNREAD_ALONE: &[&str] = &["xen-attach", "xen-domid-restrict"];

/// Options that a release took away (docs/about/removed-features.rst).
const GONE: &[(&str, Version)] = &[
    ("async-teardown", Version::new(9, 0)),
    ("chroot", Version::new(9, 0)),
    ("no-acpi", Version::new(9, 0)),
    ("no-hpet", Version::new(9, 0)),
    ("singlestep", Version::new(9, 0)),
    ("portrait", Version::new(9, 2)),
    ("rotate", Version::new(9, 2)),
];

/// The option of this name, without its dashes, if this version has it.
pub(super) fn option(name: &str, version: Version) -> Option<OptionRow> {
    if GONE.iter().any(|(gone, since)| *gone == name && *since <= version) {
        return None;
    }
    let tables = [
        (LAYOUT_WITH_VALUE, true, Use::Layout),
        (LAYOUT_ALONE, false, Use::Layout),
        (HARMLESS_WITH_VALUE, true, Use::Harmless),
        (HARMLESS_ALONE, false, Use::Harmless),
        (UNREAD_WITH_VALUE, true, Use::Unread),
        (UNREAD_ALONE, false, Use::Unread),
    ];
    let found = tables.into_iter().find(|(names, ..)| names.contains(&name))?;
    Some(OptionRow { takes_value: found.1, use_: found.2 })
}

/// Devices that have nothing to do with the memory map but for their BARs, which lie in its PCI windows; by the start of
/// their names.
const HARMLESS_DEVICES: &[&str] = &[
    "AC97",
    "ES1370",
    "VGA",
    "acpi-",
    "ahci",
    "am53c974",
    "ati-vga",
    "bochs-display",
    "ccid",
    "cfi",
    "cirrus-vga",
    "cs4231a",
    "dc390",
    "e1000",
    "edu",
    "emulated",
    "floppy",
    "generic-sdhci",
    "gpio",
    "gus",
    "hda-",
    "hyperv",
    "i2c-",
    "i6300esb",
    "i82",
    "ib700",
    "ich9-",
    "ide-",
    "igb",
    "intel-hda",
    "ioh3420",
    "ipmi",
    "ipoctal",
    "isa-",
    "lsi",
    "megasas",
    "mptsas",
    "ne2k",
    "nec-usb-xhci",
    "nvme",
    "pc-testdev",
    "pci-",
    "pcie-",
    "pcnet",
    "piix",
    "pvpanic",
    "pvscsi",
    "pxb",
    "qemu-xhci",
    "qxl",
    "ramfb",
    "rtl8139",
    "sb16",
    "scsi-",
    "sd-card",
    "sdhci",
    "secondary-vga",
    "smbus",
    "spapr-",
    "spice",
    "sungem",
    "tmp105",
    "tpm-",
    "tulip",
    "u2f",
    "usb-",
    "vhost-user",
    "vhost-vsock",
    "vhost-scsi",
    "virtconsole",
    "virtio-9p",
    "virtio-balloon",
    "virtio-blk",
    "virtio-crypto",
    "virtio-gpu",
    "virtio-input",
    "virtio-keyboard",
    "virtio-mouse",
    "virtio-multitouch",
    "virtio-net",
    "virtio-rng",
    "virtio-scsi",
    "virtio-serial",
    "virtio-snd",
    "virtio-sound",
    "virtio-tablet",
    "virtio-vga",
    "virtserialport",
    "vmcoreinfo",
    "vmgenid",
    "vmware-svga",
    "vmxnet3",
    "x3130-upstream",
    "xio3130-downstream",
    "xhci",
];

/// Whether a device of this name leaves the memory map alone.
pub(super) fn is_harmless_device(driver: &str) -> bool {
    HARMLESS_DEVICES.iter().any(|start| driver.starts_with(start))
}

/// Kinds of `-object` that leave the memory map alone, by the start of their names.
const HARMLESS_OBJECTS: &[&str] = &[
    "acpi-generic-",
    "auth",
    "can-",
    "colo",
    "cryptodev",
    "dbus-vmstate",
    "filter",
    "input-",
    "iommufd",
    "iothread",
    "main-loop",
    "pr-manager",
    "qtest",
    "rng-",
    "secret",
    "sev-",
    "tdx-guest",
    "thread-context",
    "throttle-group",
    "tls-",
    "x-remote",
    "x-vfio-user",
];

/// Whether an object of this kind leaves the memory map alone.
pub(super) fn is_harmless_object(kind: &str) -> bool {
    HARMLESS_OBJECTS.iter().any(|start| kind.starts_with(start))
}
