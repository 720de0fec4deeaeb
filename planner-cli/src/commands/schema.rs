//! `planner schema`: the JSON Schema of every input and output.

use planner_core::answer::PlanDocument;
use planner_core::diag::{Diagnostic, Origin};
use planner_core::inspect::Inspection;
use planner_core::read::json::{guest_schema, host_schema};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::capture::{CaptureDocument, CaptureListDocument};
use super::check::CheckDocument;
use super::conformance::ConformanceDocument;
use super::explain::ExplainDocument;
use super::reserved::ReservedDocument;
use super::rules::RulesDocument;
use super::vmm::VmmMapDocument;
use super::vmm_list::ListDocument;
use crate::args::{Format, SchemaArgs};
use crate::codes;
use crate::json;
use crate::output::Output;
use crate::session::{Session, Stop};

/// A schema by its name.
struct Row {
    name: &'static str,
    what: &'static str,
    make: fn() -> Value,
}

const ROWS: &[Row] = &[
    Row { name: "host", what: "a host, as input", make: host_schema },
    Row { name: "guest", what: "a guest, as input", make: guest_schema },
    Row { name: "plan", what: "planner plan --json", make: schema::<PlanDocument> },
    Row { name: "reserved", what: "planner reserved --json", make: schema::<ReservedDocument> },
    Row { name: "inspect", what: "planner inspect --json", make: schema::<Inspection> },
    Row { name: "capture", what: "planner capture --json", make: schema::<CaptureDocument> },
    Row { name: "capture-list", what: "planner capture --list --json", make: schema::<CaptureListDocument> },
    Row { name: "check", what: "planner check --json", make: schema::<CheckDocument> },
    Row { name: "conformance", what: "planner conformance --json", make: schema::<ConformanceDocument> },
    Row { name: "rules", what: "planner rules --json", make: schema::<RulesDocument> },
    Row { name: "vmm-map", what: "planner vmm VMM --memory … --json", make: schema::<VmmMapDocument> },
    Row { name: "explain", what: "planner explain --json", make: schema::<ExplainDocument> },
    Row { name: "vmms", what: "planner vmm --json", make: schema::<ListDocument> },
];

/// One schema, or the names of all.
pub(crate) fn run(args: &SchemaArgs, session: &mut Session) -> Result<Output, Stop> {
    let Some(name) = &args.name else { return Ok(Output::done(names(session.format))) };
    let wanted = name.strip_suffix("/1").unwrap_or(name);
    let Some(row) = ROWS.iter().find(|row| row.name == wanted) else {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        let message = format!("there is no schema `{name}`");
        let diagnostic = Diagnostic::new(&codes::UNKNOWN_NAME, Origin::argument(name), message);
        return Err(session.refuse(diagnostic.help(format!("there are: {}", names.join(", ")))));
    };
    Ok(Output::done(json::pretty(&(row.make)())))
}

fn names(format: Format) -> String {
    match format {
        Format::Json => json::pretty(&ROWS.iter().map(|row| row.name).collect::<Vec<_>>()),
        Format::Human => crate::paint::table(
            &ROWS.iter().map(|row| [row.name.into(), row.what.into()]).collect::<Vec<_>>(),
        ),
    }
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}
