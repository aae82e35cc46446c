//! Places: boxes, circles, polygons.
use super::Reader;
use crate::error::{Fault, Parsed};
use crate::wire::{close, open, put_double};

/// `FieldCondition.geo_bounding_box`, `.geo_radius`, `.geo_polygon`.
const BOUNDING_BOX: &[u8] = &[0x22];
const RADIUS: &[u8] = &[0x2a];
const POLYGON: &[u8] = &[0x3a];
/// `GeoBoundingBox.top_left`, `.bottom_right`.
const CORNERS: [(&str, &[u8]); 2] = [("top_left", &[0x0a]), ("bottom_right", &[0x12])];
/// `GeoRadius.center`, `.radius` (a float).
const CENTER: &[u8] = &[0x0a];
const METERS: u8 = 0x15;
/// `GeoPolygon.exterior`, `.interiors`.
const EXTERIOR: &[u8] = &[0x0a];
const INTERIORS: &[u8] = &[0x12];
/// `GeoLineString.points`.
const POINTS: &[u8] = &[0x0a];
/// `GeoPoint.lon`, `.lat`, and how far each goes.
const COORDINATES: [(&str, u8, f64); 2] = [("lon", 0x09, 180.0), ("lat", 0x11, 90.0)];
/// Points a closed line has at least, the first of them twice.
const SHORTEST_LINE: usize = 4;

impl Reader<'_> {
    /// `{"top_left": …, "bottom_right": …}`.
    pub(super) fn bounding_box(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an object")?;
        let corners = open(out, BOUNDING_BOX, 0);
        for (key, tag) in CORNERS {
            self.required(&members, key, start)?;
            self.geo_point(out, tag)
                .map_err(|fault| fault.within(key))?;
        }
        close(out, corners);
        Ok(())
    }

    /// `{"center": …, "radius": meters}`.
    pub(super) fn radius(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an object")?;
        let circle = open(out, RADIUS, 0);
        self.required(&members, "center", start)?;
        self.geo_point(out, CENTER)
            .map_err(|fault| fault.within("center"))?;
        self.required(&members, "radius", start)?;
        let meters = self.double().map_err(|fault| fault.within("radius"))? as f32;
        out.push(METERS);
        out.extend_from_slice(&meters.to_le_bytes());
        close(out, circle);
        Ok(())
    }

    /// `{"exterior": …, "interiors": […]}`.
    pub(super) fn polygon(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let start = self.json.offset();
        let members = self.json.members("an object")?;
        let polygon = open(out, POLYGON, 0);
        self.required(&members, "exterior", start)?;
        self.line(out, EXTERIOR)
            .map_err(|fault| fault.within("exterior"))?;
        if self.optional(&members, "interiors")? {
            let mut more = self.json.open_array("a list of lines")?;
            let mut index = 0;
            while more {
                self.line(out, INTERIORS)
                    .map_err(|fault| fault.at_index(index).within("interiors"))?;
                index += 1;
                more = self.json.next_item()?;
            }
        }
        close(out, polygon);
        Ok(())
    }

    /// `{"points": […]}`, closed.
    fn line(&mut self, out: &mut Vec<u8>, tag: &[u8]) -> Parsed<()> {
        self.json.peek();
        let start = self.json.offset();
        let members = self.json.members("a line: an object with `points`")?;
        let end = self.json.offset();
        let line = open(out, tag, 0);
        self.required(&members, "points", start)?;
        let mut more = self.json.open_array("a list of places")?;
        let mut places = Vec::new();
        while more {
            places.push(
                self.geo_point(out, POINTS)
                    .map_err(|fault| fault.at_index(places.len()).within("points"))?,
            );
            more = self.json.next_item()?;
        }
        close(out, line);
        self.json.go(end);
        if places.len() < SHORTEST_LINE {
            let message = format!(
                "at least {SHORTEST_LINE} places are wanted, found {}",
                places.len()
            );
            return Err(Fault::invalid(message).within("points"));
        }
        if places.first() != places.last() {
            return Err(Fault::invalid("the last place must be the first again").within("points"));
        }
        Ok(())
    }

    /// `{"lon": …, "lat": …}`.
    fn geo_point(&mut self, out: &mut Vec<u8>, tag: &[u8]) -> Parsed<[f64; 2]> {
        self.json.peek();
        let start = self.json.offset();
        let members = self
            .json
            .members("a place: an object with `lon` and `lat`")?;
        let end = self.json.offset();
        let point = open(out, tag, 0);
        let mut place = [0.0; 2];
        for ((key, tag, most), value) in COORDINATES.into_iter().zip(&mut place) {
            self.required(&members, key, start)?;
            *value = self.double().map_err(|fault| fault.within(key))?;
            if !(-most..=most).contains(value) {
                return Err(Fault::invalid(format!(
                    "expected a number from -{most} to {most}, found {value}"
                ))
                .within(key));
            }
            if *value != 0.0 {
                put_double(out, tag, *value);
            }
        }
        close(out, point);
        self.json.go(end);
        Ok(place)
    }
}
