//! The errors with which the kernel refuses: name and number.

use std::fmt;

macro_rules! errnos {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal,)+) => {
        /// An error number of Linux (include/uapi/asm-generic/errno-base.h and errno.h).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Errno {
            $($(#[$doc])* $variant,)+
        }
        impl Errno {
            /// The number, positive.
            #[must_use]
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }
            /// The name, as manual pages write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

errnos! {
    /// Not permitted: no isolated MSIs, or a device that may not leave its firmware's mapping.
    Perm = 1 "EPERM",
    /// No such mapping.
    NoEnt = 2 "ENOENT",
    /// A DMA range that the IOMMU cannot translate, or one that does not suit the domain.
    Fault = 14 "EFAULT",
    /// Something is already mapped there.
    Exist = 17 "EEXIST",
    /// Outside of the usable ranges, not aligned, or otherwise refused.
    Inval = 22 "EINVAL",
    /// No room, or too many mappings.
    NoSpc = 28 "ENOSPC",
    /// The request wraps past the end of the space.
    Overflow = 75 "EOVERFLOW",
    /// Not supported.
    OpNotSupp = 95 "EOPNOTSUPP",
    /// A reserved region and a mapping, or an allowed range, want the same addresses.
    AddrInUse = 98 "EADDRINUSE",
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
