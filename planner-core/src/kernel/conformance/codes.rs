//! Diagnostics about recorded answers, for `planner explain`.

crate::diag::diagnostic_codes! {
    SYNTAX = "X001" Error "the file of recorded answers is not JSON"
        "The text breaks the rules of JSON (RFC 8259), or ends before it is complete. The message names the case and \
         the field in which the fault lies. Nothing of the file was replayed.";
    FIELD = "X002" Error "a field of recorded answers is missing, unknown or there twice"
        "Every file is one object with `schema`, `versions` and `cases`. A case has `id`, `in`, and either `out`, the same \
         for all versions of the file, or `out_by`, one for each. What `in` and `out` hold depends on the schema. The \
         case was not replayed, the others were.";
    TYPE = "X003" Error "a field of recorded answers has the wrong type"
        "Numbers of 64 bits are strings of lower-case hexadecimal digits without 0x. Errors are negative decimal numbers, \
         flags are 0 or 1. A region is [type, start, length] or [type, start, length, prot]. The case was not replayed, \
         the others were.";
    RANGE = "X004" Error "a field of recorded answers is out of range"
        "A number needs more than 64 bits, is no page size, no errno, or names a group or device that the case does not \
         have. The case was not replayed, the others were.";
    OPERATION = "X005" Error "an operation of recorded answers is not known"
        "Each entry of `ops` is a word and its operands. The message says which operations the schema has. The case was \
         not replayed, the others were.";
    NOT_MODELLED = "X006" Error "recorded answers of a schema that is not modelled"
        "The member `schema` names the mechanism of the kernel that was recorded. The message lists the schemas that can be \
         replayed.";
    TOO_MUCH = "X007" Error "replaying would take too long"
        "Recorded answers come from anywhere, so there is a bound on what one file may cost. Real recordings stay far below \
         it. Split the file.";
    TOO_MANY = "X008" Error "too many faults in recorded answers"
        "No more than twenty faults are told one by one. The cases with faults were not replayed, the others were.";
    NO_CASES = "X009" Warning "nothing to replay"
        "A file of recorded answers has no case, or a host has neither a listing of its kernel nor ground truth. That nothing \
         failed says nothing.";
    TRUTH = "X010" Error "the ground truth of a capture cannot be used"
        "`groundtruth.json` is what VFIO and iommufd answered on the running host. The message names the place in it that \
         is not as it should be. What lies there was not compared, the rest was.";
    NOT_COMPARABLE = "X011" Warning "an answer of the running host has nothing to compare it with"
        "The ground truth names a group or a device that the capture does not have, so there is no prediction for it.";
}
