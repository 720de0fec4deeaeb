//! stub
use super::qemu::ModuleArea;
use super::{Choice, MemoryMap, Request, Variant, VmmError};
pub(super) fn memory_map(r: &Request, _: &Choice, _: Option<ModuleArea>) -> Result<MemoryMap, VmmError> {
    Err(super::qemu::refusal(r.arch, super::rules::VERSION, "no model yet"))
}
pub(super) fn variants(r: &Request) -> Result<Vec<Variant>, VmmError> {
    Err(super::qemu::refusal(r.arch, super::rules::VERSION, "no model yet"))
}
pub(super) fn check(_: &Request) -> Vec<VmmError> {
    vec![]
}
