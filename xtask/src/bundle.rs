//! `cargo xtask web`: the browser planner as files that any web server can serve.
//!
//! The generator of the JavaScript glue is a library here, so that nothing needs to be installed and cargo itself
//! holds it to the version of the `wasm-bindgen` that the page uses.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasm_bindgen_cli_support::Bindgen;

use crate::{Failure, policy, root, step};

/// Files of the page that are no build product.
const STATIC: [&str; 3] = ["index.html", "style.css", "boot.js"];

/// Where the page is built.
pub(crate) fn dist() -> PathBuf {
    root().join("web/dist")
}

/// Builds the page and prints the sizes of its files.
pub(crate) fn build() -> Result<(), Failure> {
    step("compiling web for wasm32-unknown-unknown");
    let wasm = compile()?;
    step("generating the JavaScript glue");
    let dist = dist();
    if dist.exists() {
        std::fs::remove_dir_all(&dist)?;
    }
    std::fs::create_dir_all(&dist)?;
    generate(&wasm, &dist)?;
    for name in STATIC {
        let text = std::fs::read_to_string(root().join("web/static").join(name))?;
        std::fs::write(dist.join(name), text.replace("{{policy}}", &policy::of_page()))?;
    }
    report_sizes(&dist)
}

fn compile() -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = root().join("target");
    let status = Command::new(cargo)
        .current_dir(root())
        .args(["build", "--package", "web", "--target", "wasm32-unknown-unknown", "--profile", "web"])
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err("the page does not compile; without its target, run: \
                    rustup target add wasm32-unknown-unknown"
            .into());
    }
    Ok(target.join("wasm32-unknown-unknown/web/web.wasm"))
}

fn generate(wasm: &Path, dist: &Path) -> Result<(), Failure> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).out_name("app").typescript(false);
    bindgen.remove_name_section(true).remove_producers_section(true);
    // Unlike the command, the library leaves out the address of the module unless told so, and `init()` then fails.
    bindgen.omit_default_module_path(false);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(dist)).map_err(|why| format!("{why:#}").into())
}

fn report_sizes(dist: &Path) -> Result<(), Failure> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dist)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let (mut total, mut packed_total) = (0u64, Some(0u64));
    println!("{:>12} {:>12}  file", "bytes", "brotli");
    for file in files {
        let bytes = std::fs::metadata(&file)?.len();
        let packed = brotli(&file);
        total += bytes;
        packed_total = packed_total.zip(packed).map(|(sum, one)| sum + one);
        println!("{bytes:>12} {:>12}  {}", or_dash(packed), file.file_name().unwrap_or_default().display());
    }
    println!("{total:>12} {:>12}  in all, in {}", or_dash(packed_total), dist.display());
    Ok(())
}

fn or_dash(number: Option<u64>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

/// Size after `brotli -q 11`, if that tool is there.
fn brotli(file: &Path) -> Option<u64> {
    let output = Command::new("brotli")
        .args(["-q", "11", "-c"])
        .arg(file)
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    u64::try_from(output.stdout.len()).ok()
}
