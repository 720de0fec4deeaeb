//! A small client of the W3C WebDriver protocol over std's TCP: just what the page's test needs.
//!
//! [`Browser`] owns a chromedriver process and a session; both end when it is dropped, also in a panic.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::Failure;

/// A headless Chromium.
pub(crate) struct Browser {
    session: Option<String>,
    // Dropped last: the session is ended through it.
    driver: Driver,
}

/// The chromedriver process; killed on drop.
struct Driver {
    process: Child,
    port: u16,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // Closes Chromium; should that fail, killing the driver is all that is left.
            let _ = self.driver.call("DELETE", &format!("/session/{session}"), None);
        }
    }
}

impl Browser {
    /// Starts a browser with a window of this size.
    pub(crate) fn start(width: u32, height: u32) -> Result<Self, Failure> {
        let chromium = find(&["chromium", "chromium-browser", "google-chrome"], "CHROMIUM")?;
        let driver = find(&["chromedriver"], "CHROMEDRIVER")?;
        // The guard stands before anything can fail, so that no process is left behind.
        let mut browser = Self { session: None, driver: Driver::spawn(driver)? };
        browser.driver.port = browser.driver.announced_port()?;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            &format!("--window-size={width},{height}"),
        ];
        let wishes = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let answer = browser.driver.call("POST", "/session", Some(&wishes))?;
        let session = answer["sessionId"].as_str().ok_or("chromedriver gave no session")?;
        browser.session = Some(session.to_owned());
        Ok(browser)
    }

    fn command(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let session = self.session.as_deref().unwrap_or_default();
        self.driver.call(method, &format!("/session/{session}{path}"), body.as_ref())
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) -> Result<(), Failure> {
        self.command("POST", "/url", Some(json!({ "url": url }))).map(drop)
    }

    /// Runs the body of a function in the page.
    pub(crate) fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, Failure> {
        self.command("POST", "/execute/sync", Some(json!({ "script": script, "args": arguments })))
    }

    /// Presses keys, as a person would, wherever the focus is.
    pub(crate) fn press(&self, keys: &[&str]) -> Result<(), Failure> {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
            })
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.command("POST", "/actions", Some(actions)).map(drop)
    }

    /// Chooses a file in a file input, as a person would in the dialogue.
    pub(crate) fn choose_file(&self, selector: &str, file: &Path) -> Result<(), Failure> {
        let found =
            self.command("POST", "/element", Some(json!({ "using": "css selector", "value": selector })))?;
        let id = found.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
        let id = id.ok_or_else(|| format!("there is no {selector}"))?;
        let text = json!({ "text": file.display().to_string() });
        self.command("POST", &format!("/element/{id}/value"), Some(text)).map(drop)
    }

    /// Pretends that the reader's system has this colour scheme.
    pub(crate) fn prefer_scheme(&self, scheme: &str) -> Result<(), Failure> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }))
    }

    /// Gives the page this many pixels.
    pub(crate) fn resize(&self, width: u32, height: u32) -> Result<(), Failure> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
    }

    fn devtools(&self, command: &str, parameters: Value) -> Result<(), Failure> {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("POST", "/goog/cdp/execute", Some(body)).map(drop)
    }

    /// What the window shows, as PNG.
    pub(crate) fn screenshot(&self) -> Result<Vec<u8>, Failure> {
        let answer = self.command("GET", "/screenshot", None)?;
        answer
            .as_str()
            .and_then(|text| BASE64_STANDARD.decode(text).ok())
            .ok_or_else(|| "the screenshot is no base64".into())
    }

    /// Errors that the console has had since the last call.
    pub(crate) fn console_errors(&self) -> Result<Vec<String>, Failure> {
        let log = self.command("POST", "/se/log", Some(json!({ "type": "browser" })))?;
        let severe = |entry: &&Value| entry["level"] == "SEVERE";
        let entries = log.as_array().ok_or("the console log is no list")?;
        Ok(entries.iter().filter(severe).map(|entry| entry["message"].to_string()).collect())
    }
}

impl Driver {
    fn spawn(program: PathBuf) -> Result<Self, Failure> {
        let process = Command::new(&program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("{}: {why}", program.display()))?;
        Ok(Self { process, port: 0 })
    }

    /// Its first line says port 0; the line with "successfully" has the real one.
    fn announced_port(&mut self) -> Result<u16, Failure> {
        let output = self.process.stdout.take().ok_or("chromedriver has no output")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let digits = line.contains("successfully").then(|| line.rsplit(' ').next())??;
            digits.trim_end_matches('.').parse().ok()
        });
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        port.ok_or_else(|| "chromedriver did not say its port".into())
    }

    /// One request on a connection of its own; the `value` of the answer.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map_or(String::new(), Value::to_string);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let answer = read_answer(&mut BufReader::new(stream))?;
        let mut answer: Value = serde_json::from_slice(&answer)?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{method} {path}: {error}: {}", value["message"]).into()),
            None => Ok(value),
        }
    }
}

/// The body of an answer, by its length: chromedriver keeps connections open.
fn read_answer(stream: &mut impl BufRead) -> Result<Vec<u8>, Failure> {
    let mut length = 0;
    for line in stream.by_ref().lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// A program named by a variable, or the first of these in the path.
fn find(names: &[&str], variable: &str) -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file());
    found.ok_or_else(|| {
        format!(
            "no {} found: the page's test needs Chromium and chromedriver\n\
             on Debian: apt-get install chromium chromium-driver\n\
             elsewhere: name the programs in CHROMIUM and CHROMEDRIVER",
            names.join(" or ")
        )
        .into()
    })
}
