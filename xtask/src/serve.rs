//! `cargo xtask serve`: the page on this machine, for this machine alone.
//!
//! The files of `web/dist` are read once; a request can only name one of them. A request that came under another
//! name than this machine's is refused, so that a foreign page cannot reach the server by rebinding its own name.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tiny_http::{Header, Method, Request, Response, Server};

use crate::{Failure, bundle, policy, step};

/// A server with the files that it has.
pub(crate) struct Site {
    server: Server,
    port: u16,
    files: BTreeMap<String, Vec<u8>>,
}

/// Serves until it is stopped.
pub(crate) fn forever(port: u16) -> Result<(), Failure> {
    let site = Site::open(port)?;
    step(&format!("http://127.0.0.1:{}/ (stop with Ctrl-C)", site.port));
    site.run();
    Ok(())
}

impl Site {
    /// Reads the files and opens the port; 0 takes a free one.
    pub(crate) fn open(port: u16) -> Result<Self, Failure> {
        let files = read_files()?;
        let server = Server::http(SocketAddr::from(([127, 0, 0, 1], port)))
            .map_err(|why| format!("port {port} of 127.0.0.1 cannot be opened: {why}"))?;
        let port = server.server_addr().to_ip().map_or(port, |address| address.port());
        Ok(Self { server, port, files })
    }

    /// The port that it has.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests one by one.
    pub(crate) fn run(&self) {
        for request in self.server.incoming_requests() {
            self.answer(request);
        }
    }

    fn answer(&self, request: Request) {
        let path = request.url().split(['?', '#']).next().unwrap_or("/");
        let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
        let (status, kind, body): (u16, &str, &[u8]) = match (self.is_for_us(&request), self.files.get(name))
        {
            (false, _) => {
                (403, "text/plain; charset=utf-8", b"this server answers to 127.0.0.1 and localhost only\n")
            }
            _ if !matches!(request.method(), Method::Get | Method::Head) => {
                (405, "text/plain; charset=utf-8", b"only GET and HEAD\n")
            }
            (true, None) => (404, "text/plain; charset=utf-8", b"no such file\n"),
            (true, Some(bytes)) => (200, media_type(name), bytes),
        };
        let mut response = Response::from_data(body).with_status_code(status);
        for (name, value) in headers(kind) {
            match Header::from_bytes(name, value) {
                Ok(header) => response.add_header(header),
                Err(()) => step(&format!("the header {name} cannot be sent")),
            }
        }
        // Whoever asked may be gone by now; that is no fault of ours.
        let _ = request.respond(response);
    }

    fn is_for_us(&self, request: &Request) -> bool {
        let hosts = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let named = request.headers().iter().find(|header| header.field.equiv("Host"));
        named.is_some_and(|header| hosts.iter().any(|host| host == header.value.as_str()))
    }
}

fn headers(kind: &str) -> [(&'static str, String); 6] {
    [
        ("Content-Type", kind.to_owned()),
        ("Content-Security-Policy", format!("{}; frame-ancestors 'none'", policy::of_page())),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
        ("Cross-Origin-Resource-Policy", "same-origin".to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ]
}

fn read_files() -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let dist = bundle::dist();
    let entries = std::fs::read_dir(&dist)
        .map_err(|why| format!("{}: {why}; run `cargo xtask web` first", dist.display()))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() {
            files.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(files)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
