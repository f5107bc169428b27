//! The script of the widgets.

use std::io::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use flate2::Compression;
use flate2::write::GzEncoder;
use shared::web::IfNoneMatch;

/// The source files, in the order of their names.
const SOURCES: [&str; 12] = [
    include_str!("embed/10-texts.js"),
    include_str!("embed/20-dom.js"),
    include_str!("embed/30-api.js"),
    include_str!("embed/40-style.js"),
    include_str!("embed/50-time.js"),
    include_str!("embed/60-picker.js"),
    include_str!("embed/62-captcha.js"),
    include_str!("embed/65-widget.js"),
    include_str!("embed/70-booking.js"),
    include_str!("embed/80-lead.js"),
    include_str!("embed/85-manage.js"),
    include_str!("embed/90-define.js"),
];

/// The script as it is served.
struct Script {
    text: String,
    gzipped: Option<Vec<u8>>,
    /// A hash of the text.
    tag: String,
}

static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    let text = assemble(&SOURCES);
    let gzipped = gzip(text.as_bytes()).ok();
    let tag = BASE64URL.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    Script { text, gzipped, tag }
});

/// Joins the sources into one script that leaves no names in the page.
///
/// Comments on lines of their own and white space at the beginning of lines are removed.
fn assemble(sources: &[&str]) -> String {
    let lines = sources.iter().flat_map(|source| source.lines()).map(str::trim_start);
    let is_code = |line: &&str| {
        !line.is_empty() && !["//", "/**", "*/", "* "].iter().any(|start| line.starts_with(start)) && *line != "*"
    };
    let code: Vec<_> = lines.filter(is_code).collect();
    format!("(()=>{{\"use strict\";\n{}\n}})();\n", code.join("\n"))
}

fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    encoder.finish()
}

/// How long browsers and caches keep the script.
///
/// The pages of clients name it without a version: a new version reaches them within an hour.
const CACHE: &str = "public, max-age=3600, stale-while-revalidate=86400";

/// Get the script of the widgets.
///
/// Compressed if the browser accepts gzip. Query parameters are ignored: content management systems add a version.
#[utoipa::path(
    get, path = "/widgets/embed.js", tag = "widget", operation_id = "getWidgetScript", security(()),
    params(
        ("ver" = Option<String>, Query, description = "Ignored."),
        ("If-None-Match" = Option<String>, Header, description = "Returns `304` if the script has this tag.")
    ),
    responses(
        (status = 200, content_type = "text/javascript", body = String, description = "The script.", headers(
            ("ETag" = String, description = "A hash of the script.")
        )),
        (status = 304, description = "The script has not changed.")
    )
)]
pub(crate) async fn script(headers: HeaderMap, if_none_match: IfNoneMatch) -> Response {
    let script = &*SCRIPT;
    let common = [
        (header::ETAG, format!("\"{}\"", script.tag)),
        (header::CACHE_CONTROL, CACHE.to_owned()),
        (header::VARY, "Accept-Encoding".to_owned()),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin".to_owned()),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
    ];
    if if_none_match.names(&script.tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let media = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    match script.gzipped.as_ref().filter(|_| accepts_gzip(&headers)) {
        Some(gzipped) => (common, media, [(header::CONTENT_ENCODING, "gzip")], gzipped.clone()).into_response(),
        None => (common, media, script.text.clone()).into_response(),
    }
}

/// Whether `Accept-Encoding` lists gzip and does not exclude it.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !["q=0", "q=0.0"].contains(&parameters.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_is_one_function_without_comments() {
        let source = "// A comment.\nconst a = 1;\n\n/**\n * More.\n */\n  call(a); // kept\n";
        assert_eq!(assemble(&[source]), "(()=>{\"use strict\";\nconst a = 1;\ncall(a); // kept\n})();\n");
    }

    #[test]
    fn complete_script_is_below_15_kilobytes_gzipped() {
        let size = SCRIPT.gzipped.as_ref().unwrap().len();
        assert!(size < 15 * 1024, "{size} bytes");
    }

    #[test]
    fn gzip_is_used_only_if_it_is_accepted() {
        let accepts = |text: &str| {
            let headers = [(header::ACCEPT_ENCODING, text.parse().unwrap())].into_iter().collect();
            accepts_gzip(&headers)
        };
        assert!(accepts("gzip, deflate, br") && accepts("br;q=1.0, GZIP;q=0.5"));
        assert!(!accepts("br") && !accepts("gzip;q=0") && !accepts("xgzip"));
    }
}
