//! What can be pointed at in the picture: boxes over its bands, in the picture's own pixels. Pure.

use planner_core::addr::Iova;
use planner_core::map::{AddressMap, Band, Drawing, LaneKind, Rect};

use crate::planner::Picture;

/// A band with its place in the picture.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Spot {
    /// Its `id` in the picture.
    pub(crate) id: String,
    pub(crate) lane: LaneKind,
    pub(crate) band: Band,
    pub(crate) place: Rect,
}

/// What lies over the picture.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scene {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) spots: Vec<Spot>,
    drawing: Drawing,
}

impl Scene {
    pub(crate) fn new(picture: &Picture) -> Self {
        let drawing = Drawing::new(&picture.map);
        let places = drawing.bands(&picture.map);
        let spot = |((id, lane, band), place): ((String, LaneKind, &Band), Rect)| Spot {
            id,
            lane,
            band: band.clone(),
            place,
        };
        let spots = picture.map.bands().zip(places).map(spot).collect();
        Self { width: drawing.width(), height: drawing.height(), spots, drawing }
    }

    /// The strip in which an address lies.
    pub(crate) fn strip(&self, map: &AddressMap, address: Iova) -> Option<Rect> {
        self.drawing.strip(&map.axis, address)
    }

    /// The bands to which an address belongs.
    pub(crate) fn owners(&self, address: Iova) -> impl Iterator<Item = (usize, &Spot)> {
        self.spots.iter().enumerate().filter(move |(_, spot)| spot.band.span.contains(address))
    }
}
