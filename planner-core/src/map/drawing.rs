//! Where everything lies in the SVG, in its own pixels: what a page needs in order to lay something over the picture.

use super::{AddressMap, Axis, Band, MOST_TRACKS, Segment};
use crate::addr::Iova;

/// Width of every picture.
pub(super) const WIDTH: usize = 1000;
pub(super) const LANES_LEFT: usize = 246;
pub(super) const LANES_RIGHT: usize = 984;
const LANE_GAP: usize = 14;
const TRACK_GAP: usize = 3;
pub(super) const CHART_TOP: usize = 116;
pub(super) const LEGEND_COLUMNS: usize = 4;
pub(super) const LEGEND_ROW: usize = 24;
const BREAK_HEIGHT: usize = 34;

/// A rectangle in pixels of the picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rect {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// The measures of a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drawing {
    /// Top of each segment, and the bottom of the last.
    tops: Vec<usize>,
    lane_width: usize,
    legend_rows: usize,
}

impl Drawing {
    /// The measures of this picture.
    #[must_use]
    pub fn new(map: &AddressMap) -> Self {
        let mut tops = vec![CHART_TOP];
        let mut at = CHART_TOP;
        for segment in &map.axis.segments {
            at = at.saturating_add(height(segment));
            tops.push(at);
        }
        let lanes = map.lanes.len().max(1);
        let gaps = LANE_GAP.saturating_mul(lanes.saturating_sub(1));
        let room = LANES_RIGHT.saturating_sub(LANES_LEFT).saturating_sub(gaps);
        let lane_width = room.checked_div(lanes).unwrap_or(room);
        Self { tops, lane_width, legend_rows: map.kinds().len().div_ceil(LEGEND_COLUMNS) }
    }

    /// Width of the picture.
    #[must_use]
    pub const fn width(&self) -> usize {
        WIDTH
    }

    /// Height of the picture.
    #[must_use]
    pub fn height(&self) -> usize {
        self.legend_top().saturating_add(self.legend_rows.saturating_mul(LEGEND_ROW)).saturating_add(34)
    }

    /// Every band of the picture with its identifier, in the order of [`AddressMap::bands`].
    #[must_use]
    pub fn bands(&self, map: &AddressMap) -> Vec<Rect> {
        let numbered = map.lanes.iter().enumerate();
        let of_lane = |(index, lane)| -> Vec<Rect> {
            let lane: &super::Lane = lane;
            lane.bands.iter().map(|band| self.band(&map.axis, index, band)).collect()
        };
        numbered.flat_map(of_lane).collect()
    }

    /// The strip across all lanes where an address lies, or `None` beyond the last band.
    #[must_use]
    pub fn strip(&self, axis: &Axis, address: Iova) -> Option<Rect> {
        let index = axis.segments.partition_point(|segment| segment.span.last() < address);
        axis.segments.get(index)?;
        let (top, bottom) = (self.top(index), self.top(index.saturating_add(1)));
        let width = LANES_RIGHT.saturating_sub(LANES_LEFT);
        Some(Rect { x: LANES_LEFT, y: top, width, height: bottom.saturating_sub(top) })
    }

    pub(super) fn top(&self, segment: usize) -> usize {
        self.tops.get(segment).copied().unwrap_or(CHART_TOP)
    }
    pub(super) fn bottom(&self) -> usize {
        self.tops.last().copied().unwrap_or(CHART_TOP)
    }
    pub(super) fn lane_left(&self, index: usize) -> usize {
        index.saturating_mul(self.lane_width.saturating_add(LANE_GAP)).saturating_add(LANES_LEFT)
    }
    pub(super) fn lane_width(&self) -> usize {
        self.lane_width
    }
    pub(super) fn legend_top(&self) -> usize {
        self.bottom().saturating_add(36)
    }

    /// A band of the lane with this index.
    pub(super) fn band(&self, axis: &Axis, lane: usize, band: &Band) -> Rect {
        let range = axis.range_of(band.span);
        let y = self.top(range.start).saturating_add(1);
        let height = self.top(range.end).saturating_sub(y).saturating_sub(1);
        let tracks = band.tracks.clamp(1, MOST_TRACKS);
        let gaps = TRACK_GAP.saturating_mul(tracks.saturating_sub(1));
        let width = self.lane_width.saturating_sub(gaps).checked_div(tracks).unwrap_or(1);
        let x = band.track.saturating_mul(width.saturating_add(TRACK_GAP));
        Rect { x: x.saturating_add(self.lane_left(lane)), y, width, height }
    }
}

/// Taller for larger stretches, by their power of two, and always room for a name.
fn height(segment: &Segment) -> usize {
    if segment.free {
        return BREAK_HEIGHT;
    }
    let bits = segment.span.size_bytes().checked_ilog2().unwrap_or(0);
    let levels = usize::try_from(bits.clamp(12, 44)).unwrap_or(12).saturating_sub(12);
    levels.saturating_add(26)
}
