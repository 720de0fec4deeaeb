//! The picture as a standalone SVG: integers only, no script, nothing fetched, the same bytes every time.
//!
//! Every band is a group with an `id` (see [`AddressMap::bands`]), the classes `band` and `k-` with the word of its
//! kind, and a `<title>` that says everything about it. Colours follow the light or dark scheme of the reader.

use super::drawing::{CHART_TOP, Drawing, LANES_LEFT, LANES_RIGHT, LEGEND_COLUMNS, LEGEND_ROW, Rect, WIDTH};
use super::label::{self, escape, fit_wide};
use super::palette::{PALETTE, Paint};
use super::{AddressMap, Band, BandKind, Colours, Lane, LaneKind};
use crate::addr::{Address, grouped_hex};

/// Text is set in a fixed-width font whose characters are at most six tenths of its size wide.
/// Right edge of the addresses; the longest has 21 characters.
const ADDRESS_RIGHT: usize = 152;
const SIZE_RIGHT: usize = 222;
/// Width of a character of a name (12 pixels high) in tenths of a pixel, with some reserve.
const NAME_TENTHS: usize = 74;

/// The picture.
#[must_use]
pub fn svg(map: &AddressMap) -> String {
    let page = Page { map, drawing: Drawing::new(map) };
    let mut out = page.head();
    out.push_str(&page.headings());
    out.push_str(&page.axis());
    for (index, lane) in map.lanes.iter().enumerate() {
        out.push_str(&page.lane(lane, index));
    }
    out.push_str(&page.conflicts());
    out.push_str(&page.legend());
    out.push_str("</svg>\n");
    out
}

/// The style sheet inside every picture, which depends on no input: a page that forbids inline styles can allow it by
/// its hash.
#[must_use]
pub fn style() -> String {
    let kinds = |pick: fn(&Paint) -> Colours| -> String {
        let rule = |paint: &Paint| {
            let Colours { fill, ink } = pick(paint);
            format!(".glp .k-{}{{--fill:{fill};--ink:{ink}}}\n", paint.word)
        };
        PALETTE.iter().map(rule).collect()
    };
    format!(
        "{STYLE_LIGHT}{}@media (prefers-color-scheme:dark){{\n{STYLE_DARK}{}}}\n",
        kinds(|paint| paint.light),
        kinds(|paint| paint.dark),
    )
}

const STYLE_LIGHT: &str = "\
.glp{--ground:#ffffff;--text:#1b2027;--soft:#5f6975;--line:#d5dae0;--lane:#f6f7f9;--clash:#cc1f1a;
font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px}
.glp .ground{fill:var(--ground)}
.glp text{fill:var(--text)}
.glp .title{font-size:18px;font-weight:600}
.glp .heading{font-size:13px;font-weight:600}
.glp .soft{fill:var(--soft);font-size:11px}
.glp .address{font-size:11px;text-anchor:end}
.glp .size{fill:var(--soft);font-size:11px;text-anchor:end}
.glp .break{fill:var(--soft);font-size:11px;text-anchor:middle}
.glp .column{fill:var(--lane)}
.glp .tick{stroke:var(--line);stroke-width:1}
.glp-strip{fill:var(--ground)}
.glp-edge{fill:none;stroke:var(--line);stroke-width:1}
.glp .texture{fill:none;stroke:var(--ink);stroke-width:1;stroke-opacity:.38}
.glp .tile{fill:var(--fill)}
.glp .box{stroke:var(--ink);stroke-width:1}
.glp .name{font-weight:600;paint-order:stroke;stroke:var(--fill);stroke-width:4px;stroke-linejoin:round}
.glp .note{font-size:11px;paint-order:stroke;stroke:var(--fill);stroke-width:4px;stroke-linejoin:round}
.glp .conflict .box{stroke:var(--clash);stroke-width:2}
.glp .clash{fill:var(--clash);fill-opacity:.09;stroke:var(--clash);stroke-width:2;stroke-dasharray:6 4}
.glp .badge{fill:var(--clash)}
.glp .mark{fill:#ffffff;font-weight:700;text-anchor:middle}
";

const STYLE_DARK: &str = "\
.glp{--ground:#0e1217;--text:#e7ebf0;--soft:#98a3af;--line:#2c343d;--lane:#151a21;--clash:#ff5d52}
.glp .mark{fill:#0e1217}
";

/// A picture being written.
struct Page<'a> {
    map: &'a AddressMap,
    drawing: Drawing,
}

impl Page<'_> {
    fn top(&self, segment: usize) -> usize {
        self.drawing.top(segment)
    }
    fn bottom(&self) -> usize {
        self.drawing.bottom()
    }
    fn head(&self) -> String {
        let (height, title) = (self.drawing.height(), escape(&self.map.title));
        let subtitle = escape(&self.map.subtitle);
        let kinds = self.map.kinds();
        let patterns: String = kinds.iter().map(|kind| pattern(kind.paint())).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"glp\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"glp-title glp-desc\">\n\
             <title id=\"glp-title\">Address map of {title}</title>\n\
             <desc id=\"glp-desc\">{}</desc>\n<style>\n{}</style>\n\
             <defs>\n{patterns}{}</defs>\n\
             <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"16\" y=\"32\">{title}</text>\n\
             <text class=\"soft\" x=\"16\" y=\"52\">{subtitle}</text>\n",
            escape(&self.description()),
            style(),
            tear(),
        )
    }

    /// What the picture shows, for those who do not see it.
    fn description(&self) -> String {
        let lanes: Vec<String> = self
            .map
            .lanes
            .iter()
            .map(|lane| format!("{} with {} bands", lane.kind.title(), lane.bands.len()))
            .collect();
        let clash = if self.map.has_conflict() { " Guest RAM meets what it must keep out of." } else { "" };
        format!(
            "Lanes side by side on one axis of addresses, ascending downwards: {}.{clash}",
            lanes.join(", ")
        )
    }

    fn headings(&self) -> String {
        let mut out = String::new();
        let bottom = self.bottom().saturating_sub(CHART_TOP);
        for (index, lane) in self.map.lanes.iter().enumerate() {
            let (x, width) = (self.drawing.lane_left(index), self.drawing.lane_width());
            out.push_str(&format!(
                "<text class=\"heading\" x=\"{x}\" y=\"86\">{}</text>\
                 <text class=\"soft\" x=\"{x}\" y=\"102\">{}</text>\n\
                 <rect class=\"column\" x=\"{x}\" y=\"{CHART_TOP}\" width=\"{width}\" height=\"{bottom}\"/>\n",
                lane.kind.title(),
                lane.kind.subtitle(),
            ));
        }
        out
    }

    /// Ticks with addresses, sizes, and breaks.
    fn axis(&self) -> String {
        let mut out = String::new();
        for (index, segment) in self.map.axis.segments.iter().enumerate() {
            let top = self.top(index);
            let middle = self.top(index.saturating_add(1)).saturating_add(top) / 2;
            out.push_str(&tick(top, segment.span.first().get()));
            let size = label::size(segment.span);
            if segment.free {
                let x = LANES_LEFT.saturating_add(LANES_RIGHT) / 2;
                out.push_str(&format!(
                    "<use href=\"#glp-tear\" y=\"{}\"/>\
                     <text class=\"break\" x=\"{x}\" y=\"{}\">{size} free</text>\n",
                    top.saturating_add(5),
                    middle.saturating_add(4),
                ));
            } else {
                let y = middle.saturating_add(4);
                out.push_str(&format!("<text class=\"size\" x=\"{SIZE_RIGHT}\" y=\"{y}\">{size}</text>\n"));
            }
        }
        if let Some(last) = self.map.axis.segments.last() {
            out.push_str(&tick(self.bottom(), last.span.last().get()));
        }
        out
    }

    fn lane(&self, lane: &Lane, index: usize) -> String {
        let numbered = lane.bands.iter().enumerate();
        numbered.map(|(number, band)| self.band(lane.kind, index, number, band)).collect()
    }

    fn band(&self, lane: LaneKind, index: usize, number: usize, band: &Band) -> String {
        let Rect { x, y, width, height } = self.drawing.band(&self.map.axis, index, band);
        let conflict = if band.conflict { " conflict" } else { "" };
        let word = band.kind.word();
        format!(
            "<g id=\"band-{}-{number}\" class=\"band k-{word}{conflict}\"><title>{}</title>\
             <rect class=\"box\" fill=\"url(#glp-{word})\" x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{height}\" rx=\"4\"/>{}</g>\n",
            lane.word(),
            escape(&band.words(lane)),
            inscription(band, x, y, width, height),
        )
    }

    /// A frame around the stretches where RAM meets what it must not, across all lanes.
    fn conflicts(&self) -> String {
        let mut out = String::new();
        let mut start = None;
        let flags = self.map.axis.segments.iter().map(|segment| segment.conflict).chain([false]);
        for (index, conflict) in flags.enumerate() {
            match (start, conflict) {
                (None, true) => start = Some(index),
                (Some(from), false) => {
                    out.push_str(&clash(self.top(from), self.top(index)));
                    start = None;
                }
                _ => {}
            }
        }
        out
    }

    fn legend(&self) -> String {
        let mut out = String::new();
        let top = self.drawing.legend_top();
        for (index, kind) in self.map.kinds().into_iter().enumerate() {
            let column = WIDTH.saturating_sub(16) / LEGEND_COLUMNS;
            let x = (index % LEGEND_COLUMNS).saturating_mul(column).saturating_add(16);
            let y = (index / LEGEND_COLUMNS).saturating_mul(LEGEND_ROW).saturating_add(top);
            out.push_str(&legend_item(kind, x, y));
        }
        let y = self.drawing.height().saturating_sub(16);
        out.push_str(&format!("<text class=\"soft\" x=\"16\" y=\"{y}\">{FOOTNOTE}</text>\n"));
        out
    }
}

const FOOTNOTE: &str = "One axis for all lanes: without a vIOMMU a device's bus address, IOVA and guest-physical \
                        address are one number. Not to scale.";

fn tick(y: usize, address: u64) -> String {
    let (left, text) = (ADDRESS_RIGHT.saturating_add(8), y.saturating_add(4));
    format!(
        "<path class=\"tick\" d=\"M{left} {y}H{LANES_RIGHT}\"/>\
         <text class=\"address\" x=\"{ADDRESS_RIGHT}\" y=\"{text}\">{}</text>\n",
        grouped_hex(address)
    )
}

/// A strip with ragged edges, 24 high, as wide as all lanes and a little more.
fn tear() -> String {
    let left = LANES_LEFT.saturating_sub(8);
    let teeth = LANES_RIGHT.saturating_sub(LANES_LEFT).saturating_add(16) / 12;
    let (there, back) = ("l6-4l6 4".repeat(teeth), "l-6 4l-6-4".repeat(teeth));
    format!(
        "<g id=\"glp-tear\"><path class=\"glp-strip\" d=\"M{left} 4{there}v16{back}z\"/>\
         <path class=\"glp-edge\" d=\"M{left} 4{there}M{left} 20{there}\"/></g>\n"
    )
}

fn pattern(paint: &Paint) -> String {
    let (word, path) = (paint.word, paint.texture.path());
    format!(
        "<pattern id=\"glp-{word}\" class=\"k-{word}\" width=\"8\" height=\"8\" \
         patternUnits=\"userSpaceOnUse\"><rect class=\"tile\" width=\"8\" height=\"8\"/>\
         <path class=\"texture\" d=\"{path}\"/></pattern>\n"
    )
}

/// Name, and below it size and rule where there is room.
fn inscription(band: &Band, x: usize, y: usize, width: usize, height: usize) -> String {
    let columns = width.saturating_sub(14).saturating_mul(10) / NAME_TENTHS;
    if columns < 2 {
        return String::new();
    }
    let (x, note) = (x.saturating_add(8), y.saturating_add(32));
    let name = escape(&fit_wide(&band.name, columns));
    let mut out = format!("<text class=\"name\" x=\"{x}\" y=\"{}\">{name}</text>", y.saturating_add(17));
    if height >= 40 {
        let words = format!("{} {}", band.size(), band.rule);
        let words = escape(&fit_wide(words.trim(), columns));
        out.push_str(&format!("<text class=\"note\" x=\"{x}\" y=\"{note}\">{words}</text>"));
    }
    out
}

fn clash(top: usize, bottom: usize) -> String {
    let left = LANES_LEFT.saturating_sub(5);
    let width = LANES_RIGHT.saturating_sub(LANES_LEFT).saturating_add(10);
    let height = bottom.saturating_sub(top);
    let (x, y) = (LANES_LEFT.saturating_sub(13), top.saturating_add(bottom) / 2);
    format!(
        "<rect class=\"clash\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
         <circle class=\"badge\" cx=\"{x}\" cy=\"{y}\" r=\"8\"/>\
         <text class=\"mark\" x=\"{x}\" y=\"{}\">!</text>\n",
        y.saturating_add(4)
    )
}

fn legend_item(kind: BandKind, x: usize, y: usize) -> String {
    let (word, text) = (kind.word(), kind.legend());
    format!(
        "<g class=\"k-{word}\"><rect class=\"box\" fill=\"url(#glp-{word})\" x=\"{x}\" y=\"{y}\" width=\"26\" \
         height=\"16\" rx=\"3\"/><text class=\"soft\" x=\"{}\" y=\"{}\">{text}</text></g>\n",
        x.saturating_add(34),
        y.saturating_add(12)
    )
}
