//! The picture as a self-contained page: the SVG and a table of its bands, which is what a screen reader reads.

use super::label::escape;
use super::{AddressMap, Band, Lane, svg};

/// The page. It has no script and fetches nothing; its policy forbids both.
#[must_use]
pub fn html(map: &AddressMap) -> String {
    let title = escape(&map.title);
    let tables: String = map.lanes.iter().filter(|lane| !lane.bands.is_empty()).map(table).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}{tables}</main>\n\
         </body>\n</html>\n",
        svg(map)
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#ffffff;--text:#1b2027;--soft:#5f6975;--line:#d5dae0;--clash:#cc1f1a}
body{margin:0;background:var(--ground);color:var(--text);font:14px/1.45 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:0 8px 32px}
svg{display:block;max-width:100%;height:auto}
table{border-collapse:collapse;width:100%;margin:24px 0 0}
caption{text-align:left;font-weight:600;padding:4px 8px}
th,td{text-align:left;vertical-align:top;padding:4px 8px;border-top:1px solid var(--line)}
th{color:var(--soft);font-weight:500}
code{font:12px/1.6 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:nowrap}
td.size{white-space:nowrap}
.soft{color:var(--soft)}
.conflict td:first-child{box-shadow:inset 3px 0 var(--clash)}
.conflict strong{color:var(--clash)}
@media (prefers-color-scheme:dark){
:root{--ground:#0e1217;--text:#e7ebf0;--soft:#98a3af;--line:#2c343d;--clash:#ff5d52}
}
";

fn table(lane: &Lane) -> String {
    let rows: String = lane.bands.iter().map(row).collect();
    format!(
        "<table>\n<caption>{} <span class=\"soft\">{}</span></caption>\n\
         <thead><tr><th scope=\"col\">addresses</th><th scope=\"col\">size</th><th scope=\"col\">name</th>\
         <th scope=\"col\">kind</th><th scope=\"col\">why</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        lane.kind.title(),
        lane.kind.subtitle()
    )
}

fn row(band: &Band) -> String {
    let (class, mark) =
        if band.conflict { (" class=\"conflict\"", "<strong>conflict</strong> ") } else { ("", "") };
    let part = |open: &str, text: &str, close: &str| {
        if text.is_empty() { String::new() } else { format!("{open}{}{close}", escape(text)) }
    };
    format!(
        "<tr{class}><td><code>{}</code></td><td class=\"size\">{}</td><td>{}</td><td>{}</td><td>{mark}{}{}{}</td></tr>\n",
        band.span,
        band.size(),
        escape(&band.name),
        band.kind.legend(),
        part("", &band.because, " "),
        part("<code>", &band.rule, "</code> "),
        part("<span class=\"soft\">", &band.origin, "</span>"),
    )
}
