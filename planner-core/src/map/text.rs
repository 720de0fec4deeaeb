//! The picture on a terminal: addresses downwards, one row for each segment of the axis, lanes side by side.

use super::label::{self, SIZE_COLUMNS, fit, one_column_each};
use super::{AddressMap, Band, BandKind, Lane, MOST_TRACKS, Segment};
use crate::addr::{Address, grouped_hex};
use crate::render::Color;

/// With what the picture is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Glyphs {
    /// Letters and punctuation of ASCII.
    Ascii,
    /// Box drawing and block elements of Unicode.
    #[default]
    Box,
}

/// How a picture or a listing is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextStyle {
    /// Columns of the terminal. A picture takes at least about 60, and at most 200.
    pub width: usize,
    /// With what it is drawn.
    pub glyphs: Glyphs,
    /// Whether to colour it: the terminal's own sixteen.
    pub color: Color,
}

impl Default for TextStyle {
    fn default() -> Self {
        Self { width: 80, glyphs: Glyphs::Box, color: Color::Never }
    }
}

/// Selects the red of a conflict.
const CONFLICT_SGR: &str = "1;31";
/// Selects what stays in the background.
const FAINT_SGR: &str = "90";

/// The picture with its legend. Ends with a line break.
#[must_use]
pub fn text(map: &AddressMap, style: &TextStyle) -> String {
    let page = Page::new(map, style);
    let mut out = format!("{}\n", one_column_each(&map.title));
    out.push_str(&page.faint(&one_column_each(&map.subtitle)));
    out.push_str("\n\n");
    out.push_str(&page.headings());
    out.push_str(&page.border(0));
    let mut shown: Vec<Tracks<'_>> = map.lanes.iter().map(Tracks::new).collect();
    for segment in &map.axis.segments {
        out.push_str(&page.row(segment, &mut shown));
    }
    out.push_str(&page.border(1));
    out.push('\n');
    out.push_str(&page.legend(map));
    out
}

/// Every band with its addresses, size, name and reason, by lane. Ends with a line break.
#[must_use]
pub fn listing(map: &AddressMap, style: &TextStyle) -> String {
    let page = Page::new(map, style);
    let mut out = String::new();
    for lane in map.lanes.iter().filter(|lane| !lane.bands.is_empty()) {
        out.push_str(&format!("{} ({})\n", lane.kind.title(), lane.kind.subtitle()));
        for band in &lane.bands {
            out.push_str(&page.entry(band));
        }
    }
    out
}

/// Measures of the picture.
struct Page<'a> {
    map: &'a AddressMap,
    style: TextStyle,
    /// Columns of an address.
    address: usize,
    /// Columns of a lane.
    lane: usize,
}

impl<'a> Page<'a> {
    fn new(map: &'a AddressMap, style: &TextStyle) -> Self {
        let longest = map.axis.segments.iter().map(|s| grouped_hex(s.span.first().get()).len()).max();
        let address = longest.unwrap_or(0).max("address".len());
        // Mark, address, size and the lines between lanes.
        let lanes = map.lanes.len().max(1);
        let margin = address.saturating_add(SIZE_COLUMNS).saturating_add(7).saturating_add(lanes);
        let lane = style.width.min(200).saturating_sub(margin).checked_div(lanes).unwrap_or(0).max(10);
        Self { map, style: *style, address, lane }
    }

    fn pick<T>(&self, ascii: T, boxed: T) -> T {
        match self.style.glyphs {
            Glyphs::Ascii => ascii,
            Glyphs::Box => boxed,
        }
    }

    fn paint(&self, sgr: &str, text: &str) -> String {
        match self.style.color {
            Color::Never => text.to_owned(),
            Color::Always => format!("\x1b[{sgr}m{text}\x1b[0m"),
        }
    }

    fn faint(&self, text: &str) -> String {
        self.paint(FAINT_SGR, text)
    }

    fn headings(&self) -> String {
        let mut line = format!("{:>1$}  ", "address", self.address.saturating_add(2));
        line.push_str(&format!("{:>SIZE_COLUMNS$}  ", "size"));
        for lane in &self.map.lanes {
            line.push_str(&format!(" {:<1$}", lane.kind.title(), self.lane));
        }
        format!("{}\n", line.trim_end())
    }

    /// The line above the first row (0) or below the last (1), where the last address stands.
    fn border(&self, which: usize) -> String {
        let marks = self.pick([["+", "+", "+"], ["+", "+", "+"]], [["┌", "┬", "┐"], ["└", "┴", "┘"]]);
        let [left, middle, right] = marks.get(which).copied().unwrap_or_default();
        let run = self.pick("-", "─").repeat(self.lane);
        let inner = vec![run; self.map.lanes.len()].join(middle);
        let last = self.map.axis.segments.last().filter(|_| which == 1);
        let address = last.map_or(String::new(), |segment| grouped_hex(segment.span.last().get()));
        let line = self.faint(&format!("{left}{inner}{right}"));
        // The last address may be longer than any first one: it takes the column of sizes as well.
        let columns = self.address.saturating_add(SIZE_COLUMNS);
        if address.len() <= self.address {
            return format!("  {address:>0$}  {1:SIZE_COLUMNS$}  {line}\n", self.address, "");
        }
        format!("  {address:>columns$}    {line}\n")
    }

    fn row<'b>(&self, segment: &Segment, shown: &mut [Tracks<'b>]) -> String {
        let first = grouped_hex(segment.span.first().get());
        let start = format!("{first:>0$}", self.address);
        if segment.free {
            let between = self.map.lanes.len().saturating_sub(1);
            let width = self.lane.saturating_mul(self.map.lanes.len()).saturating_add(between);
            let blank = format!("{:SIZE_COLUMNS$}", "");
            return format!("  {start}  {blank}  {}\n", self.faint(&self.gap(segment, width)));
        }
        let size = format!("{:>SIZE_COLUMNS$}", label::size(segment.span));
        let bar = self.faint(self.pick("|", "│"));
        let mut cells = String::new();
        for tracks in shown {
            cells.push_str(&bar);
            cells.push_str(&self.cell(segment, tracks));
        }
        let (mark, size) = if segment.conflict {
            (self.paint(CONFLICT_SGR, self.pick("!", "✗")), self.paint(CONFLICT_SGR, &size))
        } else {
            (" ".to_owned(), self.faint(&size))
        };
        format!("{mark} {start}  {size}  {cells}{bar}\n")
    }

    /// A break: `~~~~ 254 GiB free ~~~~`.
    fn gap(&self, segment: &Segment, width: usize) -> String {
        let words = format!(" {} free ", label::size(segment.span));
        let waves = width.saturating_sub(words.len());
        let (left, right) = (waves / 2, waves.saturating_sub(waves / 2));
        let wave = self.pick("~", "╌");
        let end = self.pick("~", "┼");
        let side = |count: usize| wave.repeat(count);
        format!("{end}{}{words}{}{end}", side(left), side(right))
    }

    /// What one lane has in one segment.
    fn cell<'b>(&self, segment: &Segment, tracks: &mut Tracks<'b>) -> String {
        tracks.advance(segment);
        let count = tracks.count.max(1);
        let mut cell = String::new();
        let mut left = self.lane;
        for (index, slot) in tracks.bands.iter().take(count).enumerate() {
            let width = left.checked_div(count.saturating_sub(index)).unwrap_or(left);
            left = left.saturating_sub(width);
            match slot {
                Some(band) => cell.push_str(&self.fill(band, segment, width)),
                None => cell.push_str(&" ".repeat(width)),
            }
        }
        cell
    }

    /// The glyphs of a band, with its name in the row where it begins.
    fn fill(&self, band: &Band, segment: &Segment, width: usize) -> String {
        let paint = band.kind.paint();
        let glyph = self.pick(paint.ascii, paint.boxed).to_string();
        let sgr = if segment.conflict && band.conflict { CONFLICT_SGR } else { paint.sgr };
        if band.span.first() != segment.span.first() || width < 5 {
            return self.paint(sgr, &glyph.repeat(width));
        }
        let room = width.saturating_sub(3);
        let name = fit(&self.plain(&band.name), room, self.pick('~', '…'));
        let rest = width.saturating_sub(name.chars().count()).saturating_sub(3);
        format!("{} {name} {}", self.paint(sgr, &glyph), self.paint(sgr, &glyph.repeat(rest)))
    }

    fn plain(&self, text: &str) -> String {
        let text = one_column_each(text);
        match self.style.glyphs {
            Glyphs::Ascii => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
            Glyphs::Box => text,
        }
    }

    fn legend(&self, map: &AddressMap) -> String {
        let mut out = String::new();
        let mut used = 0usize;
        for kind in map.kinds() {
            let (item, columns) = self.legend_item(kind);
            if used > 0 && used.saturating_add(columns) > self.style.width.max(40) {
                out.push('\n');
                used = 0;
            }
            out.push_str(&item);
            used = used.saturating_add(columns);
        }
        if map.has_conflict() {
            let mark = self.paint(CONFLICT_SGR, self.pick("!", "✗"));
            out.push_str(&format!("\n  {mark} RAM meets what it must keep out of"));
        }
        let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }

    fn legend_item(&self, kind: BandKind) -> (String, usize) {
        const COLUMNS: usize = 26;
        let paint = kind.paint();
        let glyph = self.pick(paint.ascii, paint.boxed).to_string().repeat(2);
        let words = format!("{:<1$}", paint.legend, COLUMNS.saturating_sub(5));
        (format!("  {} {words}", self.paint(paint.sgr, &glyph)), COLUMNS)
    }

    fn entry(&self, band: &Band) -> String {
        let paint = band.kind.paint();
        let mark = if band.conflict { self.pick("!", "✗") } else { " " };
        let glyph = self.paint(paint.sgr, &self.pick(paint.ascii, paint.boxed).to_string());
        let size = band.size();
        let name = self.plain(&band.name);
        let mut out = format!("{mark} {glyph} {}  {size}  {name}\n", band.span);
        let rule = if band.rule.is_empty() { String::new() } else { format!("[{}] ", band.rule) };
        let origin =
            if band.origin.is_empty() { String::new() } else { format!(" ({})", self.plain(&band.origin)) };
        let reason = format!("{rule}{}{origin}", self.plain(&band.because));
        for line in wrap(reason.trim(), self.style.width.saturating_sub(6).max(20)) {
            out.push_str(&format!("      {line}\n"));
        }
        out
    }
}

/// The text in lines of at most `columns`, broken at spaces; longer words stand alone.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0usize;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        let fits = used.saturating_add(1).saturating_add(length) <= columns;
        match lines.last_mut() {
            Some(line) if fits => {
                line.push(' ');
                line.push_str(word);
                used = used.saturating_add(1).saturating_add(length);
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

/// The bands of a lane that cover the row being drawn. Rows come in ascending order, so each band is met once.
struct Tracks<'a> {
    coming: std::slice::Iter<'a, Band>,
    bands: [Option<&'a Band>; MOST_TRACKS],
    count: usize,
}

impl<'a> Tracks<'a> {
    fn new(lane: &'a Lane) -> Self {
        Self { coming: lane.bands.iter(), bands: [None; MOST_TRACKS], count: 1 }
    }

    /// Lets go of what has ended and takes up what begins.
    fn advance(&mut self, segment: &Segment) {
        for slot in &mut self.bands {
            *slot = slot.filter(|band| band.span.last() >= segment.span.first());
        }
        while let Some(band) = self.coming.as_slice().first() {
            if band.span.first() > segment.span.first() {
                break;
            }
            self.coming.next();
            self.count = band.tracks;
            if let Some(slot) = self.bands.get_mut(band.track) {
                *slot = Some(band);
            }
        }
    }
}
