//! The examples of the repository, compiled into the page.

/// A host and a guest that show something.
#[derive(Debug)]
pub(crate) struct Example {
    /// What the menu says.
    pub(crate) title: &'static str,
    /// Description of the host.
    pub(crate) host: &'static str,
    /// Description of the guest.
    pub(crate) guest: &'static str,
}

macro_rules! example {
    ($title:literal, $folder:literal, $guest:literal) => {
        Example {
            title: $title,
            host: include_str!(concat!("../../examples/", $folder, "/host.host")),
            guest: include_str!(concat!("../../examples/", $folder, "/", $guest)),
        }
    };
}

/// In the order of the menu; the page opens with the first.
pub(crate) static EXAMPLES: &[Example] = &[
    example!("AMD Seattle, kvmtool: RAM moves above the windows", "amd-seattle", "guest.guest"),
    example!("AMD Seattle, QEMU: no place", "amd-seattle", "qemu.guest"),
    example!("HiSilicon D05: a doorbell that is not translated", "hip07", "guest.guest"),
    example!("Arm Juno r2: two functions, one group", "juno-r2", "guest.guest"),
    example!("NXP LX2160A: windows that translate addresses", "lx2160a", "guest.guest"),
];
