//! An emitted `-readconfig` file with the same replaced as on a command line ([`super::replace`]). A group in which nothing
//! is replaced stays as it was emitted, to the byte.

use planner_core::plan::Plan;

use super::replace::replaced;
use super::words::Properties;

/// Groups, the options that they stand for, and the key of what stands first in the option (system/vl.c).
const GROUPS: &[(&str, &str, &str)] = &[
    ("machine", "-machine", "type"),
    ("accel", "-accel", "accel"),
    ("object", "-object", "qom-type"),
    ("device", "-device", "driver"),
];

/// The file that this machine can start, or what has no replacement.
pub(super) fn startable(text: &str, plan: &Plan) -> Result<String, String> {
    let mut blocks = Vec::new();
    for block in text.split("\n\n") {
        match Group::read(block) {
            Some(group) => {
                let value = group.properties.write();
                let new = replaced(group.flag, &value, plan)?;
                if new.as_ref() == Some(&value) {
                    blocks.push(block.trim_end().to_owned());
                } else {
                    blocks.extend(new.map(|new| group.write(&new)));
                }
            }
            None => blocks.push(block.trim_end().to_owned()),
        }
    }
    back_memory(&mut blocks);
    Ok(blocks.join("\n\n") + "\n")
}

/// A group as the option that it stands for.
struct Group {
    name: &'static str,
    flag: &'static str,
    first_key: &'static str,
    id: Option<String>,
    properties: Properties,
}

impl Group {
    fn read(block: &str) -> Option<Self> {
        let mut lines = block.lines();
        let header = lines.next()?.strip_prefix('[')?.strip_suffix(']')?;
        let (name, id) = match header.split_once(' ') {
            Some((name, id)) => (name, Some(id.trim_matches('"').to_owned())),
            None => (header, None),
        };
        let &(name, flag, first_key) = GROUPS.iter().find(|(known, ..)| *known == name)?;
        let mut properties = Properties::read("");
        for (key, value) in lines.filter_map(pair) {
            if key == first_key { properties.set_head(value) } else { properties.push(key, value) }
        }
        Some(Self { name, flag, first_key, id, properties })
    }

    fn write(&self, value: &str) -> String {
        let properties = Properties::read(value);
        let header = match &self.id {
            Some(id) => format!("[{} \"{id}\"]", self.name),
            None => format!("[{}]", self.name),
        };
        let lines = [(self.first_key, properties.head())].into_iter().chain(properties.named());
        lines.fold(header, |text, (key, value)| format!("{text}\n  {key} = \"{value}\""))
    }
}

/// `key = "value"`.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.trim().split_once(" = ")?;
    Some((key, value.strip_prefix('"')?.strip_suffix('"')?))
}

/// As on a command line, boot memory without a backend gets one that reserves nothing.
fn back_memory(blocks: &mut Vec<String>) {
    let named =
        blocks.iter().any(|block| block.contains("  memdev = ") || block.contains("  memory-backend = "));
    let size = blocks.iter().find(|block| block.starts_with("[memory]")).and_then(|block| {
        block.lines().filter_map(pair).find(|(key, _)| *key == "size").map(|(_, size)| size.to_owned())
    });
    let (false, Some(size)) = (named, size) else { return };
    if let Some(machine) = blocks.iter_mut().find(|block| block.starts_with("[machine]")) {
        machine.push_str("\n  memory-backend = \"boot\"");
    }
    let object = "[object \"boot\"]\n  qom-type = \"memory-backend-ram\"";
    blocks.push(format!("{object}\n  size = \"{size}\"\n  reserve = \"off\""));
}

#[cfg(test)]
mod tests {
    use super::super::replace::tests::plan;
    use super::*;

    #[test]
    fn groups_that_need_kvm_or_vfio_are_replaced() {
        let text = "\
# comment

[machine]
  type = \"virt-7.2\"

[accel]
  accel = \"kvm\"

[memory]
  size = \"1G\"

[device \"rp0\"]
  driver = \"pcie-root-port\"
  bus = \"pcie.0\"

[device]
  driver = \"vfio-pci\"
  host = \"0000:01:00.0\"
  bus = \"rp0\"
";
        assert_eq!(
            startable(text, &plan("aarch64", 44)).unwrap(),
            "\
# comment

[machine]
  type = \"virt-7.2\"
  memory-backend = \"boot\"

[accel]
  accel = \"tcg\"

[memory]
  size = \"1G\"

[device \"rp0\"]
  driver = \"pcie-root-port\"
  bus = \"pcie.0\"

[device]
  driver = \"pci-testdev\"
  bus = \"rp0\"

[object \"boot\"]
  qom-type = \"memory-backend-ram\"
  size = \"1G\"
  reserve = \"off\"
"
        );
    }
}
