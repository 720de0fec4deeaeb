//! How each kind of band looks: words, glyphs, colours and textures.
//!
//! Colour never carries meaning alone: kinds differ in texture (SVG) and glyph (terminal) as well. What RAM must keep
//! out of is warm, what belongs to the guest is cool.

/// What a band is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum BandKind {
    /// Window of a root complex that sends DMA on to the IOMMU, or that no chosen group can reach.
    Window,
    /// Window of a root complex of which nobody knows whether it takes DMA peer to peer.
    WindowUnknown,
    /// Window of a root complex that takes DMA peer to peer.
    WindowIntercepts,
    /// `IOMMU_RESV_DIRECT`.
    Direct,
    /// `IOMMU_RESV_DIRECT_RELAXABLE`.
    DirectRelaxable,
    /// `IOMMU_RESV_RESERVED`.
    Reserved,
    /// `IOMMU_RESV_MSI`.
    HardwareMsi,
    /// `IOMMU_RESV_SW_MSI`.
    SoftwareMsi,
    /// What the IOMMU does not translate.
    OutsideAperture,
    /// RAM of the guest.
    Ram,
    /// Room for memory plugged in later.
    MemoryRoom,
    /// Window for BARs or I/O ports.
    PciWindow,
    /// BAR of a passed device.
    Bar,
    /// PCI configuration space.
    Ecam,
    /// GIC, ITS, GICv2m.
    InterruptController,
    /// Flash and platform devices.
    Platform,
    /// Addresses that the VMM leaves empty.
    Hole,
    /// Addresses that the user wants clear of RAM.
    Avoid,
}

/// Two colours as `#rrggbb`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Colours {
    /// Ground of the band; text is written on it.
    pub fill: &'static str,
    /// Outline and texture.
    pub ink: &'static str,
}

/// What is drawn over the ground of a band, in tiles of eight by eight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Texture {
    /// Nothing.
    Plain,
    /// Sparse dots.
    Dots,
    /// Horizontal lines.
    Lines,
    /// Vertical lines.
    Bars,
    /// Horizontal and vertical lines.
    Grid,
    /// Diagonals that rise to the right.
    Rising,
    /// Diagonals that fall to the right.
    Falling,
    /// Both diagonals.
    Cross,
    /// Short strokes.
    Dashes,
    /// Arrow heads.
    Chevrons,
    /// Waves.
    Waves,
}

impl Texture {
    /// The strokes of one tile, as SVG path data.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dots => "M1 2h1M5 6h1",
            Self::Lines => "M0 2h8M0 6h8",
            Self::Bars => "M2 0v8M6 0v8",
            Self::Grid => "M0 4h8M4 0v8",
            Self::Rising => "M-2 2l4-4M0 8l8-8M6 10l4-4",
            Self::Falling => "M-2 6l4 4M0 0l8 8M6-2l4 4",
            Self::Cross => "M0 0l8 8M0 8l8-8",
            Self::Dashes => "M0 2h3M4 6h3",
            Self::Chevrons => "M2 1l3 3l-3 3",
            Self::Waves => "M0 5l2-2l2 2l2-2l2 2",
        }
    }
}

/// A row of the table: how one kind looks.
pub(super) struct Paint {
    kind: BandKind,
    /// CSS class.
    pub(super) word: &'static str,
    /// What the legend says.
    pub(super) legend: &'static str,
    /// Glyph on a terminal without line drawing.
    pub(super) ascii: char,
    /// Glyph on a terminal with it.
    pub(super) boxed: char,
    /// Select Graphic Rendition parameters (ECMA-48, 8.3.117).
    pub(super) sgr: &'static str,
    pub(super) texture: Texture,
    pub(super) light: Colours,
    pub(super) dark: Colours,
}

const fn colours(fill: &'static str, ink: &'static str) -> Colours {
    Colours { fill, ink }
}

macro_rules! palette {
    ($($kind:ident $word:literal $legend:literal $ascii:literal $boxed:literal $sgr:literal $texture:ident
        $light:literal $light_ink:literal $dark:literal $dark_ink:literal,)+) => {
        pub(super) const PALETTE: &[Paint] = &[$(Paint {
            kind: BandKind::$kind, word: $word, legend: $legend, ascii: $ascii, boxed: $boxed, sgr: $sgr,
            texture: Texture::$texture,
            light: colours($light, $light_ink), dark: colours($dark, $dark_ink),
        },)+];
        impl BandKind {
            /// Every kind, in the order of the legend.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
        }
    };
}

#[rustfmt::skip] // a table
palette! {
    Window              "window"     "window, translated"        '.' '·' "37" Dots     "#edf1f4" "#71808c" "#1f262d" "#8b99a5",
    WindowUnknown       "unknown"    "window, may take DMA"      '?' '?' "33" Dashes   "#fdeecb" "#9a6700" "#3a2d0c" "#d7a234",
    WindowIntercepts    "intercepts" "window, takes DMA"         '>' '»' "31" Chevrons "#fddbd3" "#bf3a1e" "#48190f" "#f0775b",
    Direct              "direct"     "mapped one to one"         '^' '╫' "35" Bars     "#f7d9e9" "#a4306f" "#421730" "#e07ab2",
    DirectRelaxable     "relaxable"  "one to one, relaxable"     ',' '┆' "35" Dots     "#fbecf4" "#b8699a" "#31192a" "#c985ad",
    Reserved            "reserved"   "reserved"                  'x' '╳' "31" Cross    "#f9d5d3" "#b3261e" "#46150f" "#ef6a61",
    HardwareMsi         "hw-msi"     "doorbell, fixed"           '@' '▓' "33" Grid     "#ffdfbd" "#a34b00" "#432304" "#ee9a4d",
    SoftwareMsi         "sw-msi"     "MSI window"                '%' '▒' "33" Rising   "#ffe6bf" "#ad6200" "#412a05" "#e8a63f",
    OutsideAperture     "outside"    "outside the aperture"      '/' '╱' "90" Falling  "#e4e7eb" "#848d98" "#22272e" "#6e7985",
    Ram                 "ram"        "guest RAM"                 '#' '█' "34" Plain    "#c6ddfb" "#1f63d6" "#12305c" "#5b9cf5",
    MemoryRoom          "room"       "room for memory"           '+' '░' "36" Dots     "#e4effd" "#4f86d2" "#142439" "#6a9fe6",
    PciWindow           "pci"        "PCI window"                '=' '═' "32" Lines    "#d3efe0" "#1b7a51" "#0f3224" "#4cb98a",
    Bar                 "bar"        "BAR of a passed device"    'B' '▦' "32" Grid     "#b9e6d0" "#0f6a43" "#0c4029" "#5fd09c",
    Ecam                "ecam"       "configuration space"       ':' '┇' "32" Bars     "#e4efcd" "#5a7a14" "#28330e" "#9dbf4e",
    InterruptController "gic"        "interrupt controller"      '*' '◆' "35" Cross    "#e6dcfa" "#6a45b8" "#2a1f47" "#a587ea",
    Platform            "platform"   "platform device"           '-' '─' "36" Dashes   "#dceef0" "#3a7780" "#12303a" "#69adb8",
    Hole                "hole"       "left empty"                '_' '╌' "90" Falling   "#f5f6f8" "#9aa3ad" "#181d23" "#5c6672",
    Avoid               "avoid"      "to be kept clear"          '&' '▚' "33" Waves    "#f4e8d9" "#86642f" "#32281a" "#c1a06b",
}

impl BandKind {
    pub(super) fn paint(self) -> &'static Paint {
        PALETTE
            .iter()
            .find(|paint| paint.kind == self)
            .expect("the table and the list of kinds are one macro")
    }
    /// One word for it, which is its CSS class after `k-`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.paint().word
    }
    /// What the legend calls it.
    #[must_use]
    pub fn legend(self) -> &'static str {
        self.paint().legend
    }
    /// Its texture.
    #[must_use]
    pub fn texture(self) -> Texture {
        self.paint().texture
    }
    /// Its colours on white.
    #[must_use]
    pub fn light(self) -> Colours {
        self.paint().light
    }
    /// Its colours on black.
    #[must_use]
    pub fn dark(self) -> Colours {
        self.paint().dark
    }
    /// Whether it is RAM.
    #[must_use]
    pub const fn is_ram(self) -> bool {
        matches!(self, Self::Ram)
    }
    /// Whether RAM must keep out. A relaxable region may be given up, so RAM may lie there; windows that take DMA
    /// count only if `hazards_count`.
    pub(super) const fn forbids_ram(self, hazards_count: bool) -> bool {
        match self {
            Self::Direct
            | Self::Reserved
            | Self::HardwareMsi
            | Self::SoftwareMsi
            | Self::OutsideAperture
            | Self::Avoid => true,
            Self::WindowUnknown | Self::WindowIntercepts => hazards_count,
            _ => false,
        }
    }
}
