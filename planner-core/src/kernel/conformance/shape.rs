//! What recorded answers look like, and where one differs from ours.

use super::field::{self, Fault, Read};
use super::json::Json;

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) enum Shape {
    /// 0, or a negative errno (`MAX_ERRNO` in include/linux/err.h).
    Errno,
    /// 0 or 1.
    Flag,
    /// A decimal number from 0.
    Decimal,
    /// A number of 64 bits.
    Hex,
    /// A string.
    Text,
    /// A kind of region.
    Kind,
    /// Null, or something else.
    Null(&'static Shape),
    /// A string of this form, or a number of that.
    Either(&'static Shape, &'static Shape),
    /// Values of one form.
    List(&'static Shape),
    /// Values of these forms.
    Tuple(&'static [Shape]),
    /// Members of these forms, all of them there.
    Object(&'static [(&'static str, Shape)]),
}

/// The largest errno (include/linux/err.h).
const MAX_ERRNO: i128 = 4095;

/// First and last address.
pub(in crate::kernel) const PAIR: Shape = Shape::Tuple(&[Shape::Hex, Shape::Hex]);

impl Shape {
    /// Checks the form of a value.
    pub(in crate::kernel) fn check(self, json: &Json<'_>) -> Read<()> {
        match (self, json) {
            (Self::Errno, Json::Integer(value)) if (-MAX_ERRNO..=0).contains(value) => Ok(()),
            (Self::Errno, Json::Integer(value)) => {
                Err(Fault::range(format!("{value} is neither 0 nor a negative errno")))
            }
            (Self::Errno, other) => Err(Fault::wrong("0 or a negative errno", other)),
            (Self::Flag, json) => field::flag(json).map(drop),
            (Self::Decimal, json) => field::decimal(json).map(drop),
            (Self::Hex, json) => field::hex(json).map(drop),
            (Self::Text, json) => field::text(json).map(drop),
            (Self::Kind, json) => field::kind(json).map(drop),
            (Self::Null(_), Json::Null) => Ok(()),
            (Self::Null(inner), json) => inner.check(json),
            (Self::Either(text, _), Json::Text(_)) => text.check(json),
            (Self::Either(_, number), json) => number.check(json),
            (Self::List(inner), json) => field::list(json, |item| inner.check(item)).map(drop),
            (Self::Tuple(inner), json) => check_tuple(inner, json),
            (Self::Object(members), json) => check_object(members, json),
        }
    }
}

fn check_tuple(shapes: &[Shape], json: &Json<'_>) -> Read<()> {
    let Json::List(items) = json else {
        return Err(Fault::wrong(&format!("a list of {} values", shapes.len()), json));
    };
    if items.len() != shapes.len() {
        let message = format!("expected {} values, found {}", shapes.len(), items.len());
        return Err(Fault::new(&super::codes::TYPE, message));
    }
    for (index, (shape, item)) in shapes.iter().zip(items).enumerate() {
        shape.check(item).map_err(|fault| fault.within(&format!("[{index}]")))?;
    }
    Ok(())
}

fn check_object(members: &[(&str, Shape)], json: &Json<'_>) -> Read<()> {
    let known: Vec<&str> = members.iter().map(|(key, _)| *key).collect();
    let object = field::Object::of(json, &known)?;
    for (key, shape) in members {
        object.need(key, |member| shape.check(member))?;
    }
    Ok(())
}

/// Where two values first differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::kernel) struct Difference {
    /// `out[3].iova[0][1]`
    pub(super) path: String,
    /// The operation that was answered.
    pub(super) step: Option<String>,
    pub(super) kernel: String,
    pub(super) ours: String,
}

impl Difference {
    /// The same difference, in the answer to this operation.
    #[must_use]
    pub(in crate::kernel) fn at(mut self, step: &str) -> Self {
        self.step = Some(super::shortened(step, 200));
        self
    }
    /// The same difference, seen from the value around.
    #[must_use]
    pub(in crate::kernel) fn within(mut self, outer: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{outer}{dot}{}", self.path);
        self
    }
}

/// The first difference between what the kernel said and what we say.
pub(in crate::kernel) fn compare(kernel: &Json<'_>, ours: &Json<'_>) -> Result<(), Difference> {
    match (kernel, ours) {
        (Json::List(theirs), Json::List(own)) if theirs.len() == own.len() => {
            for (index, (one, other)) in theirs.iter().zip(own).enumerate() {
                compare(one, other).map_err(|found| found.within(&format!("[{index}]")))?;
            }
            Ok(())
        }
        (Json::Object(theirs), Json::Object(own)) if theirs.len() == own.len() => {
            for (key, one) in theirs {
                let other = ours.member(key).unwrap_or(&Json::Null);
                compare(one, other).map_err(|found| found.within(key))?;
            }
            Ok(())
        }
        _ if kernel == ours => Ok(()),
        _ => Err(Difference {
            path: String::new(),
            step: None,
            kernel: super::shortened(&kernel.to_string(), 400),
            ours: super::shortened(&ours.to_string(), 400),
        }),
    }
}
