//! An initramfs whose `/init` prints `/proc/iomem` and switches the machine off
//! (Documentation/driver-api/early-userspace/buffer-format.rst: the newc format of cpio).

/// Above what `/init` prints.
pub(super) const BEGIN: &str = "--- /proc/iomem";
/// Below it.
pub(super) const END: &str = "--- end";

const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo '--- /proc/iomem'
/bin/busybox cat /proc/iomem
echo '--- end'
/bin/busybox poweroff -f
";

/// Kind and permissions of a file (include/uapi/linux/stat.h).
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// The archive, with this busybox in it.
pub(super) fn archive(busybox: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    for name in ["dev", "proc", "bin"] {
        entry(&mut archive, name, DIRECTORY, [0, 0], b"");
    }
    // Documentation/admin-guide/devices.txt: 5, 1 is the console.
    entry(&mut archive, "dev/console", CHARACTER_DEVICE, [5, 1], b"");
    entry(&mut archive, "bin/busybox", PROGRAM, [0, 0], busybox);
    entry(&mut archive, "init", PROGRAM, [0, 0], INIT.as_bytes());
    entry(&mut archive, "TRAILER!!!", 0, [0, 0], b"");
    archive
}

/// A header of fourteen numbers, eight hexadecimal digits each, then name and content, each padded to four bytes.
fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, [major, minor]: [u32; 2], content: &[u8]) {
    let inode = archive.len();
    let (size, name_size) = (content.len(), name.len() + 1);
    let header = format!(
        "070701{inode:08X}{mode:08X}{:08X}{:08X}{:08X}{:08X}{size:08X}{:08X}{:08X}{major:08X}{minor:08X}\
         {name_size:08X}{:08X}{name}\0",
        0, 0, 1, 0, 0, 0, 0
    );
    archive.extend(header.as_bytes());
    pad(archive);
    archive.extend(content);
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_header_name_and_content() {
        let mut archive = Vec::new();
        entry(&mut archive, "ab", PROGRAM, [0, 0], b"hello");
        let header = "07070100000000000081ED000000000000000000000001000000000000000500000000000000000000000000000000\
                      0000000300000000";
        assert_eq!(archive, [header.as_bytes(), b"ab\0\0\0\0hello\0\0\0"].concat()[..].to_vec());
        assert_eq!(archive.len() % 4, 0);
    }
}
