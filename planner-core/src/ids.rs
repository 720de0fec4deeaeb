//! Names that hardware gives: PCI addresses, requester, stream and device IDs, IOMMU groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The place of a PCI function: segment, bus, device, function. Written `0000:03:00.0`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    segment: u16,
    bus: u8,
    devfn: u8,
}

impl PciAddress {
    /// The function at this place, or `None` when the device is above 31 or the function above 7.
    #[must_use]
    pub fn new(segment: u16, bus: u8, device: u8, function: u8) -> Option<Self> {
        (device < 32 && function < 8).then_some(Self { segment, bus, devfn: device << 3 | function })
    }
    /// The function that sends this requester ID within `segment`.
    #[must_use]
    pub fn from_requester(segment: u16, requester: RequesterId) -> Self {
        let [bus, devfn] = requester.0.to_be_bytes();
        Self { segment, bus, devfn }
    }
    /// PCI segment (Linux: domain), 0 to 0xffff.
    #[must_use]
    pub const fn segment(self) -> u16 {
        self.segment
    }
    /// Bus number, 0 to 255.
    #[must_use]
    pub const fn bus(self) -> u8 {
        self.bus
    }
    /// Device number, 0 to 31.
    #[must_use]
    pub const fn device(self) -> u8 {
        self.devfn >> 3
    }
    /// Function number, 0 to 7.
    #[must_use]
    pub const fn function(self) -> u8 {
        self.devfn & 7
    }
    /// The requester ID that the function's transactions carry: bus, device and function.
    #[must_use]
    pub const fn requester_id(self) -> RequesterId {
        RequesterId(u16::from_be_bytes([self.bus, self.devfn]))
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, bus, .. } = self;
        write!(f, "{segment:04x}:{bus:02x}:{:02x}.{}", self.device(), self.function())
    }
}
impl fmt::Debug for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The text is no PCI address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PciAddressError;

impl fmt::Display for PciAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a PCI address (write 0000:03:00.0 or 03:00.0)")
    }
}
impl std::error::Error for PciAddressError {}

/// Reads `0000:03:00.0`, or `03:00.0` in segment 0.
impl FromStr for PciAddress {
    type Err = PciAddressError;
    fn from_str(text: &str) -> Result<Self, PciAddressError> {
        let (place, function) = text.rsplit_once('.').ok_or(PciAddressError)?;
        let mut parts = place.split(':');
        let (segment, bus, device) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(bus), Some(device), None, None) => ("0", bus, device),
            (Some(segment), Some(bus), Some(device), None) => (segment, bus, device),
            _ => return Err(PciAddressError),
        };
        let hex = |digits: &str, most: usize| {
            let plain = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten().ok_or(PciAddressError)
        };
        let byte = |digits: &str| hex(digits, 2).and_then(|v| u8::try_from(v).map_err(|_| PciAddressError));
        let function = if function.len() == 1 { byte(function)? } else { return Err(PciAddressError) };
        Self::new(hex(segment, 4)?, byte(bus)?, byte(device)?, function).ok_or(PciAddressError)
    }
}

/// Serde and JSON Schema of a type whose JSON form is its text.
macro_rules! json_as_text {
    ($name:ident, $pattern:literal, $description:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|why| serde::de::Error::custom(format_args!("`{text}`: {why}")))
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}
pub(crate) use json_as_text;

json_as_text!(PciAddress, "^([0-9a-f]{4}:)?[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$", "segment:bus:device.function");

/// Vendor and device ID of a PCI function. Written `8086:1520`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PciId {
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.device)
    }
}
impl FromStr for PciId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WHY: &str = "not a vendor and device ID (write 8086:1520)";
        let (vendor, device) = text.split_once(':').ok_or(WHY)?;
        let hex = |digits: &str| {
            let plain = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten().ok_or(WHY)
        };
        Ok(Self { vendor: hex(vendor)?, device: hex(device)? })
    }
}
json_as_text!(PciId, "^[0-9a-f]{4}:[0-9a-f]{4}$", "vendor:device of a PCI function");

/// Class code of a PCI function: base class, sub-class, programming interface. Written with four or six digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PciClass(u32);

impl PciClass {
    /// The class with these 24 bits, or `None` when there are more.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        (code < 1 << 24).then_some(Self(code))
    }
    /// The 24 bits: base class, sub-class, programming interface.
    #[must_use]
    pub const fn code(self) -> u32 {
        self.0
    }
    /// Base class and sub-class: 0x0200 for an Ethernet controller.
    #[must_use]
    pub const fn base_and_sub(self) -> u32 {
        self.0 >> 8
    }
    /// Whether it is a bridge of any kind (PCI Code and ID Assignment, base class 06).
    #[must_use]
    pub const fn is_bridge(self) -> bool {
        self.0 >> 16 == 0x06
    }
}
impl fmt::Display for PciClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 & 0xff == 0 { write!(f, "{:04x}", self.0 >> 8) } else { write!(f, "{:06x}", self.0) }
    }
}
impl FromStr for PciClass {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WHY: &str = "not a PCI class (write 0200 or 010802)";
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(WHY);
        }
        let code = u32::from_str_radix(text, 16).map_err(|_| WHY)?;
        match text.len() {
            4 => Self::from_code(code << 8).ok_or(WHY),
            6 => Self::from_code(code).ok_or(WHY),
            _ => Err(WHY),
        }
    }
}
json_as_text!(PciClass, "^[0-9a-f]{4}([0-9a-f]{2})?$", "PCI class code: base class, sub-class, interface");

macro_rules! hardware_id {
    ($(#[$doc:meta])* $name:ident($int:ty), $schema:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = crate::size::deserialize_u64(deserializer)?;
                <$int>::try_from(value).map(Self).map_err(|_| {
                    serde::de::Error::custom(format_args!(
                        concat!("{:#x} is no ", $schema, ": at most {:#x}"), value, <$int>::MAX
                    ))
                })
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::size::hex_schema($schema)
            }
        }
    };
}

hardware_id! {
    /// Bus, device and function in the 16 bits that a PCIe transaction carries (PCIe Base Specification 2.2.6.2).
    RequesterId(u16), "requester ID"
}
hardware_id! {
    /// What the SMMU knows a device by (Arm IHI 0070, 3.2).
    StreamId(u32), "stream ID"
}
hardware_id! {
    /// What the ITS knows a device by (Arm IHI 0069, 5.2).
    MsiDeviceId(u32), "ITS device ID"
}

/// Number of an IOMMU group, as in `/sys/kernel/iommu_groups/N`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct GroupId(pub u32);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pci_addresses_round_trip() {
        for text in ["0000:00:00.0", "ffff:ff:1f.7", "0001:03:0a.2"] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
        }
        assert_eq!("3:0.1".parse::<PciAddress>().unwrap().to_string(), "0000:03:00.1");
        let address: PciAddress = "0002:12:1f.3".parse().unwrap();
        assert_eq!(address.requester_id(), RequesterId(0x12fb));
        assert_eq!(PciAddress::from_requester(2, RequesterId(0x12fb)), address);
    }

    #[test]
    fn what_is_no_pci_address_is_refused() {
        for text in [
            "",
            ".",
            "00:00",
            "00:20.0",
            "00:00.8",
            "1:2:3:4.0",
            "00000:00:00.0",
            "00:+1.0",
            "000:00.0",
            "00:00.00",
        ] {
            assert!(text.parse::<PciAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn classes_have_four_or_six_digits() {
        assert_eq!("0200".parse::<PciClass>().unwrap().code(), 0x02_0000);
        assert_eq!("010802".parse::<PciClass>().unwrap().to_string(), "010802");
        assert_eq!("020000".parse::<PciClass>().unwrap().to_string(), "0200");
        assert!("0604".parse::<PciClass>().unwrap().is_bridge());
        for text in ["02", "02000", "0x02", "g200"] {
            assert!(text.parse::<PciClass>().is_err(), "{text}");
        }
    }
}
