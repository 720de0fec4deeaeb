//! Operations of recorded answers: `map 40000000 1000 7f0000000000 3`.

use super::codes;
use super::field::{self, Fault, Read};
use super::json::Json;
use super::shape::{self, Difference, Shape};
use super::shortened;

/// An operation with the text that it was read from.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Step<'o, T> {
    pub(in crate::kernel) op: T,
    pub(in crate::kernel) text: &'o str,
}

/// The words of an operation.
pub(in crate::kernel) struct Words<'o> {
    /// The first.
    pub(in crate::kernel) verb: &'o str,
    /// The others.
    pub(in crate::kernel) operands: Vec<&'o str>,
    text: &'o str,
}

impl<'o> Words<'o> {
    /// The words at most: no operation of a fixed form has more, and ranges are counted elsewhere.
    fn of(text: &'o str) -> Self {
        let mut words = text.split_ascii_whitespace();
        Self { verb: words.next().unwrap_or_default(), operands: words.collect(), text }
    }

    /// All operands as numbers, when there are as many.
    pub(in crate::kernel) fn numbers<const N: usize>(&self, usage: &[&str]) -> Read<[u64; N]> {
        if self.operands.len() != N {
            return Err(self.misused(usage));
        }
        let numbers: Vec<u64> =
            self.operands.iter().map(|word| field::hex_word(word)).collect::<Read<_>>()?;
        numbers.try_into().map_err(|_| self.misused(usage))
    }

    /// The only operand, a decimal number.
    pub(in crate::kernel) fn id(&self, usage: &[&str]) -> Read<u32> {
        match self.operands.as_slice() {
            [id] => field::id_word(id),
            _ => Err(self.misused(usage)),
        }
    }

    /// The operation is not known, or has not the operands that it needs.
    pub(in crate::kernel) fn misused(&self, usage: &[&str]) -> Fault {
        let own = usage.iter().find(|usage| usage.split_ascii_whitespace().next() == Some(self.verb));
        let message = match own {
            Some(usage) => format!("`{}`: the operation is `{usage}`", shortened(self.text, 60)),
            None => format!(
                "unknown operation `{}`; there are {}",
                shortened(self.verb, 40),
                usage.iter().map(|usage| format!("`{usage}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        Fault::new(&codes::OPERATION, message)
    }
}

/// Reads a list of operations.
pub(in crate::kernel) fn steps<'o, T>(
    json: &'o Json<'_>,
    read: impl Fn(&Words<'o>) -> Read<T>,
) -> Read<Vec<Step<'o, T>>> {
    field::list(json, |item| {
        let text = field::text(item)?;
        Ok(Step { op: read(&Words::of(text))?, text })
    })
}

/// Checks the form of `{"out":[…], …}`: one answer for each operation, and what else there is.
pub(in crate::kernel) fn check_out<'o, T>(
    steps: &[Step<'o, T>],
    shape_of: impl Fn(&T) -> Shape,
    rest: &[(&str, Shape)],
    out: &Json<'_>,
) -> Read<()> {
    let mut known = vec!["out"];
    known.extend(rest.iter().map(|(key, _)| *key));
    let object = field::Object::of(out, &known)?;
    object.need("out", |answers| {
        let Json::List(answers) = answers else { return Err(Fault::wrong("a list", answers)) };
        if answers.len() != steps.len() {
            let message = format!("{} answers for {} operations", answers.len(), steps.len());
            return Err(Fault::new(&codes::FIELD, message));
        }
        for (index, (step, answer)) in steps.iter().zip(answers).enumerate() {
            shape_of(&step.op).check(answer).map_err(|fault| fault.within(&format!("[{index}]")))?;
        }
        Ok(())
    })?;
    for (key, shape) in rest {
        object.need(key, |member| shape.check(member))?;
    }
    Ok(())
}

/// Does the operations one after the other and compares each answer. What is not kept cannot fill the memory.
pub(in crate::kernel) fn replay_steps<'o, T>(
    steps: &[Step<'o, T>],
    out: &Json<'_>,
    mut answer: impl FnMut(&T) -> Json<'static>,
) -> Result<(), Difference> {
    let recorded = out.member("out").map_or(&[][..], Json::items);
    for (index, (step, kernel)) in steps.iter().zip(recorded).enumerate() {
        shape::compare(kernel, &answer(&step.op))
            .map_err(|found| found.within(&format!("out[{index}]")).at(step.text))?;
    }
    Ok(())
}

/// Compares what an answer holds besides those of its operations.
pub(in crate::kernel) fn compare_member(
    out: &Json<'_>,
    key: &str,
    ours: &Json<'_>,
) -> Result<(), Difference> {
    let kernel = out.member(key).unwrap_or(&Json::Null);
    shape::compare(kernel, ours).map_err(|found| found.within(key))
}

/// Flags of 32 bits.
pub(in crate::kernel) fn flags(flags: u64) -> Read<u32> {
    u32::try_from(flags).map_err(|_| Fault::range(format!("flags {flags:x} need more than 32 bits")))
}

/// What so many operations may cost where each may walk all that the ones before it left behind, in steps.
pub(in crate::kernel) fn cost(operations: usize, regions: usize) -> u64 {
    let (operations, regions) = (operations as u64, regions as u64);
    operations.saturating_mul(operations).saturating_mul(regions.saturating_add(1)).saturating_add(regions)
}

/// 0 or 1.
pub(in crate::kernel) fn flag(value: u64) -> Read<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Fault::range(format!("{other:x} is neither 0 nor 1"))),
    }
}

/// The number of an operation; one that no list has where it does not fit.
pub(in crate::kernel) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
