//! `cargo xtask web-test`: a person's way through the page, in a headless Chromium.
//!
//! What the page shows is compared with what the core says in this process about the same two texts. Screenshots of
//! every station are left in `target/web-test`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use planner_core::answer;
use planner_core::kernel::report::Question;
use planner_core::read::language;
use planner_core::{guest, host, map};
use serde_json::{Value, json};

use crate::serve::Site;
use crate::webdriver::Browser;
use crate::{Failure, bundle, root, step};

/// How long the page may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys as WebDriver names them (W3C WebDriver, 17.4.2).
const RIGHT: &str = "\u{e014}";
const ENTER: &str = "\u{e007}";

/// A page under test.
struct Visit {
    browser: Browser,
    shots: PathBuf,
}

/// Builds, serves, tests.
pub(crate) fn run() -> Result<(), Failure> {
    // First of all, so that nobody waits for a build that cannot be tested.
    let browser = Browser::start(1440, 1000)?;
    bundle::build()?;
    let site = Site::open(0)?;
    let port = site.port();
    // Ends with this process.
    std::thread::spawn(move || site.run());
    server_keeps_to_itself(port)?;
    let shots = root().join("target/web-test");
    std::fs::create_dir_all(&shots)?;
    let visit = Visit { browser, shots };
    visit.opens(&format!("http://127.0.0.1:{port}/"))?;
    visit.shows_the_picture_of_the_core()?;
    visit.explains_a_conflict_and_forgets_it()?;
    visit.points_at_the_line_of_a_fault()?;
    visit.is_used_by_keyboard()?;
    visit.finds_the_owner_of_an_address()?;
    visit.shows_every_example()?;
    visit.opens_a_capture()?;
    visit.fits_small_screens_and_dark_ones()?;
    visit.lets_nothing_out()?;
    step(&format!("the page does what it should; screenshots are in {}", visit.shots.display()));
    Ok(())
}

impl Visit {
    fn opens(&self, address: &str) -> Result<(), Failure> {
        let before = Instant::now();
        self.browser.open(address)?;
        self.wait_for("a verdict", "return document.querySelector('#verdict')?.dataset.verdict")?;
        step(&format!("first verdict after {} ms", before.elapsed().as_millis()));
        self.shot("1-first-verdict")?;
        self.no_errors()
    }

    /// Byte for byte what is saved, and element for element what is shown.
    fn shows_the_picture_of_the_core(&self) -> Result<(), Failure> {
        let expected = picture(&self.text_of("host")?, &self.text_of("guest")?)?;
        let saved = self.browser.run(
            "return decodeURIComponent(document.querySelector('a[download]').href.split(',').slice(1).join(','))",
            &[],
        )?;
        must(saved == json!(expected), "the SVG to be saved is the core's to the byte")?;
        let shown = self.browser.run(
            "const box = document.createElement('div'); box.innerHTML = arguments[0];
             return box.innerHTML === document.querySelector('#drawing').innerHTML",
            &[json!(expected)],
        )?;
        must(shown == json!(true), "the SVG in the page is the core's")
    }

    fn explains_a_conflict_and_forgets_it(&self) -> Result<(), Failure> {
        let fitting = self.text_of("guest")?;
        let conflicting = fitting.replace("vmm kvmtool", "vmm qemu 11.1 { machine \"virt,gic-version=3\" }");
        must(conflicting != fitting, "the first example runs on kvmtool")?;
        let spent = self.write("guest", &conflicting)?;
        step(&format!("a conflict is explained and fixed within {spent} ms"));
        self.wait_for_verdict("impossible")?;
        must(self.count("#causes li")? > 0, "a conflict has causes")?;
        must(self.count("#fixes li")? > 0, "a conflict has fixes")?;
        must(self.count("#drawing .band.conflict")? > 1, "the picture shows what meets")?;
        self.shot("2-conflict")?;
        self.shows_the_picture_of_the_core()?;
        self.write("guest", &fitting)?;
        self.wait_for_verdict("fits-with-options")?;
        must(self.count("#causes li")? == 0, "no cause is left")?;
        self.shows_the_picture_of_the_core()?;
        self.no_errors()
    }

    fn points_at_the_line_of_a_fault(&self) -> Result<(), Failure> {
        let good = self.text_of("guest")?;
        self.write("guest", &good.replace("vcpus", "vcpu"))?;
        self.wait_for_verdict("unreadable")?;
        must(self.count("#guest-faults li.error")? > 0, "a misspelled word is an error")?;
        self.browser.run("document.querySelector('#guest-faults .place').click()", &[])?;
        let selected = self.browser.run(
            "const area = document.activeElement;
             return area.id + ':' + area.value.slice(area.selectionStart, area.selectionEnd)",
            &[],
        )?;
        must(selected == json!("guest:vcpu"), "its place is selected in the text")?;
        self.shot("3-fault")?;
        self.write("guest", &good)?;
        self.wait_for_verdict("fits-with-options")
    }

    fn is_used_by_keyboard(&self) -> Result<(), Failure> {
        self.browser.run("document.querySelector('#tab-map').focus()", &[])?;
        self.browser.press(&[RIGHT])?;
        self.wait_for("the table", "return document.querySelector('#panel table') !== null")?;
        self.shot("4-table")?;
        self.browser.press(&[RIGHT])?;
        self.wait_for("the configuration", "return document.querySelector('#panel pre') !== null")?;
        must(self.count("#panel article.file")? > 0, "the configuration is there")?;
        self.shot("5-configuration")?;
        self.browser.press(&[RIGHT])?;
        self.wait_for("the map", "return document.querySelector('.spot') !== null")?;
        self.browser.run("document.querySelector('.spot').focus()", &[])?;
        self.browser.press(&[ENTER])?;
        self.wait_for(
            "a band to be chosen",
            "return document.querySelectorAll('.spot.chosen').length === 1",
        )?;
        let told = self.browser.run(
            "return document.querySelector('#details').textContent
                 === document.querySelector('.spot.chosen title').textContent",
            &[],
        )?;
        must(told == json!(true), "the chosen band is explained")
    }

    fn finds_the_owner_of_an_address(&self) -> Result<(), Failure> {
        self.write("address", "vfio_container_dma_map(0x55d0, 0x8000000, 0x1000) = -22")?;
        self.wait_for("an owner", "return document.querySelector('#owners').textContent !== ''")?;
        self.write("address", "128M")?;
        let owner = "return document.querySelector('#owners').textContent";
        let msi = format!("{owner}.includes('MSI window')");
        self.wait_for("the MSI window", &msi)?;
        must(self.count(".overlay .found")? == 1, "its place is marked")?;
        self.shot("6-owner")?;
        self.write("address", "").map(drop)
    }

    fn shows_every_example(&self) -> Result<(), Failure> {
        let examples = self.count("#example option:enabled")?;
        for index in 0..examples {
            self.browser.run(
                "const menu = document.querySelector('#example');
                 menu.value = String(arguments[0]); menu.dispatchEvent(new Event('change', { bubbles: true }))",
                &[json!(index)],
            )?;
            let (host, guest) = (self.text_of("host")?, self.text_of("guest")?);
            must(!host.is_empty() && !guest.is_empty(), "an example has two texts")?;
            must(self.count(".faults .error")? == 0, "an example has no errors")?;
            self.shows_the_picture_of_the_core()?;
            self.shot(&format!("7-example-{index}"))?;
        }
        self.no_errors()
    }

    fn opens_a_capture(&self) -> Result<(), Failure> {
        let folder = root().join("examples/qemu-virt-capture");
        self.browser.choose_file("#open", &folder.join("host.tar.gz"))?;
        self.wait_for(
            "the captured host",
            "return document.querySelector('#host').value.includes('linux 7.3.4')",
        )?;
        self.write("guest", &std::fs::read_to_string(folder.join("guest.guest"))?)?;
        self.wait_for_verdict("fits")?;
        must(self.count(".faults .error")? == 0, "a capture can be planned for")?;
        self.shows_the_picture_of_the_core()?;
        self.shot("8-capture")?;
        self.no_errors()
    }

    fn fits_small_screens_and_dark_ones(&self) -> Result<(), Failure> {
        self.browser.prefer_scheme("dark")?;
        self.shot("9-dark")?;
        self.browser.resize(390, 1600)?;
        let wide = self
            .browser
            .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth", &[])?;
        self.shot("9-small")?;
        must(wide == json!(0), "a small screen needs no sideways scrolling")
    }

    /// After the start the page's policy refuses every connection. The refusal is an error on the console, so this
    /// comes last.
    fn lets_nothing_out(&self) -> Result<(), Failure> {
        self.no_errors()?;
        self.browser.run(
            "window.tried = null; fetch('/').then(() => tried = 'let out', () => tried = 'refused')",
            &[],
        )?;
        self.wait_for("an answer to a fetch", "return window.tried")?;
        let tried = self.browser.run("return window.tried", &[])?;
        must(tried == json!("refused"), "nothing leaves the page")
    }

    fn text_of(&self, id: &str) -> Result<String, Failure> {
        let text = self.browser.run("return document.getElementById(arguments[0]).value", &[json!(id)])?;
        Ok(text.as_str().ok_or("the text area has no text")?.to_owned())
    }

    /// Writes a text as if it had been pasted. Returns how many milliseconds the page was busy with it.
    fn write(&self, id: &str, text: &str) -> Result<u64, Failure> {
        let script = "const area = document.getElementById(arguments[0]); area.value = arguments[1];
                      const before = performance.now();
                      area.dispatchEvent(new Event('input', { bubbles: true }));
                      return Math.round(performance.now() - before)";
        let spent = self.browser.run(script, &[json!(id), json!(text)])?;
        spent.as_u64().ok_or_else(|| "the time is no number".into())
    }

    fn count(&self, selector: &str) -> Result<u64, Failure> {
        let count =
            self.browser.run("return document.querySelectorAll(arguments[0]).length", &[json!(selector)])?;
        count.as_u64().ok_or_else(|| "a count is no number".into())
    }

    fn wait_for_verdict(&self, verdict: &str) -> Result<(), Failure> {
        let script = format!("return document.querySelector('#verdict')?.dataset.verdict === '{verdict}'");
        self.wait_for(&format!("the verdict `{verdict}`"), &script)
    }

    /// Asks the page until the answer is one.
    fn wait_for(&self, what: &str, script: &str) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            match self.browser.run(script, &[])? {
                Value::Null | Value::Bool(false) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Value::Null | Value::Bool(false) => {
                    self.shot("failed")?;
                    let errors = self.browser.console_errors()?.join("\n");
                    return Err(format!("waited for {what} in vain; see failed.png\n{errors}").into());
                }
                _ => return Ok(()),
            }
        }
    }

    fn no_errors(&self) -> Result<(), Failure> {
        let errors = self.browser.console_errors()?;
        if errors.is_empty() {
            Ok(())
        } else {
            Err(format!("the console has errors:\n{}", errors.join("\n")).into())
        }
    }

    fn shot(&self, name: &str) -> Result<(), Failure> {
        std::fs::write(self.shots.join(format!("{name}.png")), self.browser.screenshot()?)?;
        Ok(())
    }
}

/// A page of another name, or a path that leaves the folder, gets nothing.
fn server_keeps_to_itself(port: u16) -> Result<(), Failure> {
    let status = |host: &str, path: &str| -> Result<String, Failure> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line.split(' ').nth(1).unwrap_or_default().to_owned())
    };
    let own = format!("127.0.0.1:{port}");
    must(status(&own, "/")? == "200", "the server answers to its own name")?;
    must(status(&format!("planner.example:{port}"), "/")? == "403", "the server answers to no other name")?;
    must(status(&own, "/../Cargo.toml")? == "404", "the server has no other files")
}

fn must(holds: bool, what: &str) -> Result<(), Failure> {
    if holds {
        step(&format!("ok: {what}"));
        return Ok(());
    }
    Err(format!("it does not hold that {what}").into())
}

/// What the core draws of two texts.
fn picture(host_text: &str, guest_text: &str) -> Result<String, Failure> {
    let (facts, _) = language::parse_host("host.host", host_text);
    let (host, _) = host::resolve::resolve(&facts);
    let (facts, _) = language::parse_guest("guest.guest", guest_text);
    let (guest, _) = guest::resolve::resolve(&facts, &host);
    let guest = guest.ok_or("the guest cannot be meant")?;
    let answer = answer::answer(&host, &guest, &Question::default());
    Ok(map::svg(&answer::picture(&host, &guest, &answer)))
}
